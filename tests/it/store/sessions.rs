//! The settings of the sessions on PostgreSQL.

use entourage::store::{Graph, LoadOutcome};

use super::{ALICE, BOB, create, faults::on_postgres, new_user};

#[tokio::test]
async fn no_session_compiles_its_statements() {
    on_postgres(async |database| {
        for sql in [
            "CREATE TABLE seen (jit text)",
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO seen VALUES (current_setting('jit')); RETURN NULL; \
             END $$",
            "CREATE TRIGGER see AFTER INSERT ON users EXECUTE FUNCTION see()",
        ] {
            database.execute(sql).await;
        }
        let name = database.url.rsplit('/').next().expect("a name");
        database.execute(&format!("ALTER DATABASE {name} SET jit = on")).await;

        let store = database.another_store().await;
        let users = vec![new_user(ALICE, "alice")];
        let loaded = store.load(Graph { users, follows: vec![] }, &|_| {}).await.unwrap();
        assert_eq!(loaded, LoadOutcome::Loaded);
        create(&*store, BOB, "bob").await;
        store.close().await;

        let mut connection = database.postgres_connection().await;
        let seen = sqlx::query_scalar("SELECT jit FROM seen").fetch_all(&mut connection).await;
        let seen: Vec<String> = seen.unwrap();
        assert_eq!(seen, ["off", "off"]);
    })
    .await;
}
