//! What a database must be like, looked at when it is opened and before it is migrated: otherwise
//! the request of a user would find it out.

use sqlx::PgConnection;

use crate::store::{ConnectError, statement::query_as};

/// The oldest version that understands our statements (`AS MATERIALIZED`).
const VERSION_MIN: i32 = 12;

/// What to grant, up to the name of the schema.
const GRANT: &str = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ";

statements! {
    REQUIREMENTS =
        "SELECT current_setting('server_version_num')::int / 10000 AS version, \
                current_setting('server_encoding') AS encoding, \
                current_schema()::text AS schema, \
                current_user::text AS role, \
                current_setting('session_replication_role') = 'replica' AS skips_foreign_keys, \
                current_setting('max_connections')::int \
                    - current_setting('superuser_reserved_connections')::int AS connections_max, \
                (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class \
                 WHERE relnamespace = to_regnamespace(quote_ident(current_schema()::text)) \
                 AND relname IN ('users', 'follow_counts', 'follows', 'followers', \
                                 'follow_changes', 'name_prefixes') \
                 AND NOT (has_table_privilege(oid, 'SELECT') AND \
                          has_table_privilege(oid, 'INSERT') AND \
                          has_table_privilege(oid, 'UPDATE') AND \
                          has_table_privilege(oid, 'DELETE'))) AS closed_tables";
    MAY_CREATE =
        "SELECT has_schema_privilege(current_schema()::text, 'CREATE'), current_schema()::text, \
                current_user::text";
}

#[derive(Debug)]
struct Found {
    version: i32,
    encoding: String,
    schema: Option<String>,
    role: String,
    skips_foreign_keys: bool,
    connections_max: i32,
    closed_tables: Option<String>,
}

/// The columns of [`REQUIREMENTS`].
type Row = (i32, String, Option<String>, String, bool, i32, Option<String>);

impl From<Row> for Found {
    fn from(row: Row) -> Self {
        let (version, encoding, schema, role, skips_foreign_keys, connections_max, closed_tables) =
            row;
        Self { version, encoding, schema, role, skips_foreign_keys, connections_max, closed_tables }
    }
}

/// Checks the database. A server of another kind that cannot run the statement is not checked.
///
/// # Errors
/// [`ConnectError::Unusable`] says what to do.
pub(super) async fn check(
    connection: &mut PgConnection,
    connections_max: Option<u32>,
) -> Result<(), ConnectError> {
    let row: sqlx::Result<Row> = query_as(REQUIREMENTS).fetch_one(connection).await;
    let refusal = match row {
        Ok(row) => refusal(&row.into(), connections_max),
        Err(error) => {
            tracing::warn!(%error, "the requirements of the database could not be checked");
            None
        }
    };
    refusal.map_or(Ok(()), |reason| Err(ConnectError::Unusable(reason)))
}

fn refusal(found: &Found, connections_max: Option<u32>) -> Option<String> {
    let Found { version, encoding, role, .. } = found;
    let Some(schema) = &found.schema else {
        return Some(format!(
            "the role {role} has no schema for tables: its search_path names none that exists and \
             that it may use (GRANT USAGE, CREATE ON SCHEMA public TO {role})"
        ));
    };
    if *version < VERSION_MIN {
        return Some(format!(
            "the server is PostgreSQL {version}: version {VERSION_MIN} or newer is needed"
        ));
    }
    if encoding != "UTF8" {
        return Some(format!(
            "the encoding of the database is {encoding}: create it with ENCODING 'UTF8'"
        ));
    }
    if found.skips_foreign_keys {
        return Some(format!(
            "session_replication_role is replica, which switches foreign keys off: ALTER ROLE \
             {role} RESET session_replication_role"
        ));
    }
    if let Some(tables) = &found.closed_tables {
        let refusal = format!("the role {role} may not read and write all tables ({tables}): ");
        return Some(refusal + GRANT + schema + " TO " + role);
    }
    // Besides the pool, one connection listens and one may do long work.
    let room = u32::try_from(found.connections_max).unwrap_or_default().saturating_sub(2);
    connections_max.filter(|most| *most > room).map(|most| {
        format!(
            "the server allows {} connections, fewer than the {most} of the pool and 2 more: set \
             ENTOURAGE_DATABASE_CONNECTIONS_MAX to {room} or less, or raise max_connections",
            found.connections_max
        )
    })
}

/// Why the role may not create tables; `None` if it may. Since PostgreSQL 15 that is not a matter of
/// course in the schema `public`.
pub(super) async fn migration_refusal(
    connection: &mut PgConnection,
) -> sqlx::Result<Option<String>> {
    let row = query_as(MAY_CREATE).fetch_one(connection).await?;
    let (may_create, schema, role): (Option<bool>, Option<String>, String) = row;
    let schema = schema.unwrap_or_else(|| "public".to_owned());
    Ok((may_create != Some(true)).then(|| {
        format!("the role {role} may not create tables: GRANT CREATE ON SCHEMA {schema} TO {role}")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Found {
        Found {
            version: 15,
            encoding: "UTF8".to_owned(),
            schema: Some("public".to_owned()),
            role: "app".to_owned(),
            skips_foreign_keys: false,
            connections_max: 97,
            closed_tables: None,
        }
    }

    #[test]
    fn each_requirement_has_a_refusal_that_says_what_to_do() {
        assert_eq!(refusal(&good(), Some(95)), None);
        assert_eq!(refusal(&Found { connections_max: 5, ..good() }, None), None);
        let latin = "LATIN1".to_owned();
        for (found, action) in [
            (Found { version: 11, ..good() }, "version 12 or newer is needed"),
            (Found { encoding: latin, ..good() }, "create it with ENCODING 'UTF8'"),
            (Found { schema: None, ..good() }, "GRANT USAGE, CREATE ON SCHEMA public TO app"),
            (Found { skips_foreign_keys: true, ..good() }, "RESET session_replication_role"),
            (
                Found { closed_tables: Some("follows".to_owned()), ..good() },
                "UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
            ),
            (
                Found { connections_max: 17, ..good() },
                "ENTOURAGE_DATABASE_CONNECTIONS_MAX to 15 or less",
            ),
        ] {
            let refusal = refusal(&found, Some(16)).expect(action);
            assert!(refusal.contains(action), "{refusal}");
        }
    }
}
