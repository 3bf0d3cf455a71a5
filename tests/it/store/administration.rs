//! Changes by administrators, and the log of them.

use entourage::{
    domain::{
        Actor, AdminChange, AdminOutcome, Audience, AuditAction, AuditEntry, Ends, NewUser,
        OrderDirection, PageRequest, PasswordHash, Permission, ProfileChange, Role, Standing,
        UserId, UsernameKey, Window,
    },
    store::Store,
};

use super::{ALICE, BOB, CAROL, NOBODY, at, cases, counts, create, follow, new_user};
use crate::support::admin::{administer, give_role, step};

cases! {
    each_change_has_an_entry_and_one_that_changes_nothing_has_none,
    an_entry_outlives_its_user,
    a_repeated_change_is_found_by_its_entry,
    the_log_is_paged_from_both_ends,
    a_machine_is_found_by_no_look_up,
    a_suspended_user_stays_in_follow_lists,
    a_role_of_ones_own_gives_its_permissions,
    a_role_that_users_have_is_not_removed,
}

fn all(window: Window, after: Option<i64>, before: Option<i64>) -> PageRequest<i64> {
    PageRequest { direction: OrderDirection::Desc, window, after, before, ends: Ends::BOTH }
}

async fn log(store: &dyn Store) -> Vec<AuditEntry> {
    store.page_of_audit_log(&all(Window::First(100), None, None)).await.unwrap().items
}

fn service_account(id: UserId, name: &str) -> NewUser {
    NewUser { standing: Standing::Service, ..new_user(id, name) }
}

async fn each_change_has_an_entry_and_one_that_changes_nothing_has_none(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let name = ProfileChange { name: Some(None), bio: Some(None), ..ProfileChange::default() };
    let hash = PasswordHash("$argon2id$x".to_owned());
    let role = Role {
        name: "helper".to_owned(),
        permissions: [Permission::Moderate].into_iter().collect(),
    };
    let bob = Box::new(new_user(BOB, "bob"));
    let changes = [
        (AdminChange::Create(bob), AuditAction::UserCreated, Some("user")),
        (
            AdminChange::UpdateProfile(BOB, Box::new(name)),
            AuditAction::ProfileUpdated,
            Some("name, bio"),
        ),
        (AdminChange::DefineRole(role), AuditAction::RoleDefined, Some("helper: moderate")),
        (AdminChange::SetRole(BOB, "helper".into()), AuditAction::RoleSet, Some("helper")),
        (AdminChange::SetRole(BOB, "user".into()), AuditAction::RoleSet, Some("user")),
        (AdminChange::RemoveRole("helper".into()), AuditAction::RoleRemoved, Some("helper")),
        (AdminChange::Suspend(BOB, Some("spam".into())), AuditAction::UserSuspended, Some("spam")),
        (AdminChange::Reinstate(BOB), AuditAction::UserReinstated, None),
        (AdminChange::SetPassword(BOB, hash), AuditAction::PasswordSet, None),
        (AdminChange::SignOut(BOB), AuditAction::SignedOut, None),
        (AdminChange::Delete(BOB), AuditAction::UserDeleted, None),
    ];
    let mut expected = Vec::new();
    for (change, action, detail) in changes {
        let mut step = step(change);
        step.actor = Actor::User(ALICE, "alice".to_owned());
        step.username = step.change.user().map(|_| "bob".to_owned());
        assert_eq!(store.administer(&step).await.unwrap(), AdminOutcome::Done, "{step:?}");
        expected.insert(
            0,
            AuditEntry {
                id: step.id,
                at: step.at,
                actor: Some(ALICE),
                actor_name: Some("alice".to_owned()),
                action,
                user: step.change.user(),
                username: step.username,
                detail: detail.map(str::to_owned),
            },
        );
    }
    assert_eq!(log(store).await, expected);

    for (change, outcome) in [
        (AdminChange::SetRole(ALICE, "user".into()), AdminOutcome::Unchanged),
        (AdminChange::Reinstate(ALICE), AdminOutcome::Unchanged),
        (AdminChange::SetRole(ALICE, "king".into()), AdminOutcome::NoSuchRole),
        (AdminChange::RemoveRole("king".into()), AdminOutcome::NoSuchRole),
        (AdminChange::Suspend(NOBODY, None), AdminOutcome::NoSuchUser),
        (AdminChange::SignOut(NOBODY), AdminOutcome::NoSuchUser),
        (AdminChange::Delete(NOBODY), AdminOutcome::NoSuchUser),
        (AdminChange::Create(Box::new(new_user(CAROL, "Alice"))), AdminOutcome::UsernameTaken),
        (AdminChange::Create(Box::new(new_user(ALICE, "carol"))), AdminOutcome::IdTaken),
    ] {
        assert_eq!(administer(store, change.clone()).await, outcome, "{change:?}");
    }
    assert_eq!(log(store).await, expected);
}

async fn an_entry_outlives_its_user(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    administer(store, AdminChange::Suspend(ALICE, None)).await;
    assert!(store.delete_user(ALICE, at(0)).await.unwrap());
    assert_eq!(log(store).await.first().and_then(|entry| entry.user), Some(ALICE));
}

async fn a_repeated_change_is_found_by_its_entry(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let step = step(AdminChange::SignOut(ALICE));
    store.administer(&step).await.unwrap();
    // Another change with the same entry is refused by the key, and leaves nothing behind.
    let epoch = store.find_account(ALICE).await.unwrap().unwrap().token_epoch;
    assert!(store.administer(&step).await.is_err());
    assert_eq!(store.find_account(ALICE).await.unwrap().unwrap().token_epoch, epoch);
    assert_eq!(log(store).await.len(), 1);
}

async fn the_log_is_paged_from_both_ends(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let step = step(AdminChange::SignOut(ALICE));
        store.administer(&step).await.unwrap();
        ids.insert(0, step.id);
    }
    let page = async |request: PageRequest<i64>| {
        let page = store.page_of_audit_log(&request).await.unwrap();
        let ids: Vec<_> = page.items.iter().map(|entry| entry.id).collect();
        (ids, page.has_previous, page.has_next)
    };
    assert_eq!(page(all(Window::First(2), None, None)).await, (ids[..2].to_vec(), false, true));
    let after = all(Window::First(2), Some(ids[1]), None);
    assert_eq!(page(after).await, (ids[2..4].to_vec(), true, true));
    let last = all(Window::Last(2), None, None);
    assert_eq!(page(last).await, (ids[3..].to_vec(), true, false));
    let end = all(Window::First(2), Some(ids[4]), None);
    assert_eq!(page(end).await, (Vec::new(), true, false));
}

async fn a_machine_is_found_by_no_look_up(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let machine = Box::new(service_account(BOB, "robot"));
    assert_eq!(administer(store, AdminChange::Create(machine)).await, AdminOutcome::Done);
    let everybody = Audience::EVERYBODY;
    let key = UsernameKey::parse("robot").unwrap();

    assert!(store.users_by_ids(everybody, &[BOB]).await.unwrap().is_empty());
    assert!(
        store.users_by_usernames(everybody, std::slice::from_ref(&key)).await.unwrap().is_empty()
    );
    let names = entourage::domain::UserNames::Usernames(vec!["robot".to_owned()]);
    assert!(store.find_ids(&names).await.unwrap().is_empty());
    let account = store.find_account(BOB).await.unwrap().expect("it is there");
    assert_eq!(account.user.standing, Standing::Service);
    assert!(store.find_credentials(&key).await.unwrap().is_some());
    // It is neither suspended nor reinstated.
    for change in [AdminChange::Suspend(BOB, None), AdminChange::Reinstate(BOB)] {
        assert_eq!(administer(store, change).await, AdminOutcome::IsMachine);
    }
    assert!(store.find_drift(&|_| {}).await.unwrap().is_empty());
}

async fn a_suspended_user_stays_in_follow_lists(store: &dyn Store) {
    for (id, name) in [(ALICE, "alice"), (BOB, "bob")] {
        create(store, id, name).await;
    }
    follow(store, BOB, ALICE, 1).await;
    assert_eq!(administer(store, AdminChange::Suspend(BOB, None)).await, AdminOutcome::Done);

    let bob = store.users_by_ids(Audience::EVERYBODY, &[BOB]).await.unwrap().remove(&BOB);
    assert_eq!(bob.expect("he is there").standing, Standing::Suspended);
    assert_eq!(counts(store, ALICE).await.followers, 1);
    assert!(store.find_drift(&|_| {}).await.unwrap().is_empty());
    assert_eq!(administer(store, AdminChange::Suspend(BOB, None)).await, AdminOutcome::Unchanged);
}

async fn a_role_of_ones_own_gives_its_permissions(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let permissions = [Permission::Follow, Permission::Moderate].into_iter().collect();
    let helper = Role { name: "helper".to_owned(), permissions };
    assert_eq!(
        administer(store, AdminChange::DefineRole(helper.clone())).await,
        AdminOutcome::Done
    );
    give_role(store, ALICE, "helper").await;
    assert_eq!(store.find_account(ALICE).await.unwrap().unwrap().role, helper);
    let again = AdminChange::DefineRole(helper.clone());
    assert_eq!(administer(store, again).await, AdminOutcome::Unchanged);

    let less = Role { permissions: [Permission::Follow].into_iter().collect(), ..helper };
    assert_eq!(administer(store, AdminChange::DefineRole(less.clone())).await, AdminOutcome::Done);
    assert_eq!(store.find_account(ALICE).await.unwrap().unwrap().role, less);
    let names: Vec<_> = store.roles().await.unwrap().into_iter().map(|role| role.name).collect();
    assert_eq!(names, ["user", "restricted", "moderator", "admin", "helper"]);
}

async fn a_role_that_users_have_is_not_removed(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    let helper = Role { name: "helper".to_owned(), permissions: [].into_iter().collect() };
    administer(store, AdminChange::DefineRole(helper)).await;
    give_role(store, ALICE, "helper").await;
    let remove = || AdminChange::RemoveRole("helper".to_owned());
    assert_eq!(administer(store, remove()).await, AdminOutcome::RoleInUse);
    give_role(store, ALICE, "user").await;
    assert_eq!(administer(store, remove()).await, AdminOutcome::Done);
}
