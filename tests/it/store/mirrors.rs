//! Edges whose mirror cannot be seen yet, or is lost.

use entourage::{
    domain::{FollowChanged, FollowLimits, UnfollowOutcome},
    store::Store,
};

use super::{
    ALICE, BOB, CAROL, assert_sound, at, cases,
    faults::on_postgres,
    follow, four_users,
    groups::{follows, unfollows},
};
use crate::support::{database::Database, follow::FollowOne};

cases! {
    ;
    database:
    an_edge_that_has_lost_its_mirror_can_be_unfollowed,
    a_user_whose_edges_have_lost_their_mirrors_can_be_deleted,
}

/// Hides mirrors from the first deletions of one, as on several servers, which commit one after the
/// other. A sequence does not roll back.
async fn hide_mirrors(database: &Database, deletions: u32) {
    database.execute("DROP TRIGGER IF EXISTS hidden ON followers").await;
    database.execute("DROP SEQUENCE IF EXISTS deletions").await;
    database.execute("CREATE SEQUENCE deletions").await;
    let function = format!(
        "CREATE OR REPLACE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('deletions') <= {deletions} THEN RETURN NULL; END IF; RETURN OLD; \
         END $$"
    );
    database.execute(&function).await;
    let trigger = "CREATE TRIGGER hidden BEFORE DELETE ON followers \
                   FOR EACH ROW EXECUTE FUNCTION hide()";
    database.execute(trigger).await;
}

/// Unfollows in a batch that cannot be written optimistically.
async fn unfollow_slowly(store: &dyn Store) {
    let batch = [unfollows(ALICE, BOB, 2), follows(ALICE, BOB, 3), unfollows(ALICE, BOB, 4)];
    let mut outcomes = store.change_follows(&batch).await;
    let last = outcomes.pop().expect("three").unwrap().outcome;
    assert_eq!(last, FollowChanged::Unfollow(UnfollowOutcome::Unfollowed));
}

#[tokio::test]
async fn an_unfollow_waits_for_a_mirror_that_is_not_visible_yet() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        for hidden in [1, 2] {
            follow(database.store(), ALICE, BOB, 1).await;
            hide_mirrors(database, hidden).await;
            unfollow_slowly(database.store()).await;
            assert_sound(database.store()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_deletion_waits_for_mirrors_that_are_not_visible_yet() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        for (deleted, follower, followee) in [(ALICE, ALICE, CAROL), (BOB, CAROL, BOB)] {
            follow(database.store(), follower, followee, 1).await;
            hide_mirrors(database, 1).await;
            assert!(database.store().delete_user(deleted, at(0)).await.unwrap());
            assert_sound(database.store()).await;
        }
    })
    .await;
}

async fn an_edge_that_has_lost_its_mirror_can_be_unfollowed(database: &Database) {
    let store = database.store();
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    database.execute("DELETE FROM followers").await;
    unfollow_slowly(store).await;
    assert_sound(store).await;

    follow(store, ALICE, BOB, 5).await;
    database.execute("DELETE FROM followers").await;
    assert_eq!(store.unfollow(ALICE, BOB, at(6)).await.unwrap(), UnfollowOutcome::Unfollowed);
    assert!(store.follow(ALICE, BOB, at(7), FollowLimits::NONE).await.unwrap().is_ok());
    assert_sound(store).await;
}

async fn a_user_whose_edges_have_lost_their_mirrors_can_be_deleted(database: &Database) {
    let store = database.store();
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, ALICE, CAROL, 1).await;
    database.execute("DELETE FROM followers").await;

    assert!(store.delete_user(ALICE, at(0)).await.unwrap());
    assert_sound(store).await;
}
