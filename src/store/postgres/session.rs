//! What a session must be like: the settings that a role or a database could have changed.
//!
//! They are set when a connection is opened, by a statement. As start-up parameters they would be
//! refused by a pooler, or dropped without a word.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;

use super::connect::Server;
use crate::store::{
    Options,
    statement::{preparation, query_as},
};

statements! {
    SUPPORTED_SETTINGS =
        "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)";
    SET =
        "SELECT count(set_config(name, setting, false)) \
         FROM unnest($1::text[], $2::text[]) AS wanted (name, setting)";
}

/// Settings by name, in the notation of `SET`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    names: Arc<Vec<&'static str>>,
    values: Arc<Vec<String>>,
}

impl Session {
    /// For statements of requests.
    pub(super) fn limited(server: Server, options: Options) -> Self {
        let time = options.statement_timeout;
        let mut settings = common(time, time * 2);
        // Rows are then found one by one in an index, and locked in the order of the index.
        settings.push(("enable_bitmapscan", "off".to_owned()));
        // Planning a page costs as much as reading it, and each statement has one plan that suits
        // all arguments. Citus, however, needs the arguments to find the shards.
        if server.in_one_place {
            settings.push(("plan_cache_mode", "force_generic_plan".to_owned()));
        }
        settings.into_iter().collect()
    }

    /// For long work, without time limits.
    pub(super) fn unlimited() -> Self {
        common(Duration::ZERO, Duration::ZERO).into_iter().collect()
    }

    /// The settings that this server has, and those among them that have another value now.
    pub(super) async fn supported(
        &self,
        connection: &mut PgConnection,
    ) -> sqlx::Result<(Self, Self)> {
        let query = query_as(SUPPORTED_SETTINGS).bind(&*self.names);
        let current: Vec<(String, String)> = query.fetch_all(connection).await?;
        let value = |name: &str| current.iter().find(|(own, _)| own == name).map(|(_, v)| v);
        let all = self.names.iter().copied().zip(self.values.iter().cloned());
        let supported: Vec<_> = all.filter(|(name, _)| value(name).is_some()).collect();
        let other = |(name, wanted): &&(&str, String)| {
            value(name).is_some_and(|value| !is_same(value, wanted))
        };
        Ok((supported.iter().cloned().collect(), supported.iter().filter(other).cloned().collect()))
    }

    /// Sets them for as long as the connection lives.
    pub(super) async fn begin(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if !self.names.is_empty() {
            let query = preparation(SET).bind(&*self.names).bind(&*self.values);
            query.execute(connection).await?;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The statements that give a role these settings.
    pub(super) fn as_role_settings(&self, role: &str) -> String {
        let role = role.replace('"', "\"\"");
        let set = |(name, value)| format!("ALTER ROLE \"{role}\" SET {name} = '{value}';");
        self.names.iter().zip(&*self.values).map(set).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<(&'static str, String)> for Session {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(settings: I) -> Self {
        let (names, values): (Vec<_>, Vec<_>) = settings.into_iter().unzip();
        Self { names: Arc::new(names), values: Arc::new(values) }
    }
}

/// What every session needs, since a role or a database may have set it otherwise. Whether
/// transactions are read-only by default is not among it: a provider sets that on a full disk.
fn common(statement: Duration, idle_transaction: Duration) -> Vec<(&'static str, String)> {
    let ms = |time: Duration| format!("{}ms", time.as_millis());
    vec![
        // Writes lock the rows that they read; a stricter level would make them fail instead.
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", ms(statement)),
        // An open transaction waits only for this program, so twice a statement is ample.
        ("idle_in_transaction_session_timeout", ms(idle_transaction)),
        // The limit of a statement includes its locks, and the pool closes idle connections.
        ("lock_timeout", ms(Duration::ZERO)),
        ("idle_session_timeout", ms(Duration::ZERO)),
        ("transaction_timeout", ms(Duration::ZERO)),
        ("standard_conforming_strings", "on".to_owned()),
        // Compiling a statement of ours takes longer than running it, and without statistics the
        // planner does it all the same.
        ("jit", "off".to_owned()),
        // A deletion changes several tables, which Citus refuses to do on several servers at once.
        ("citus.multi_shard_modify_mode", "sequential".to_owned()),
    ]
}

/// Whether PostgreSQL shows a setting as `shown` when it was set to `wanted`: it shows times in the
/// largest unit that divides them.
fn is_same(shown: &str, wanted: &str) -> bool {
    let Some(ms) = wanted.strip_suffix("ms").and_then(|ms| ms.parse::<u128>().ok()) else {
        return shown == wanted;
    };
    let unit_at = shown.find(|c: char| !c.is_ascii_digit()).unwrap_or(shown.len());
    let (number, unit) = shown.split_at(unit_at);
    let factor = match unit {
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 1,
    };
    number.parse::<u128>().is_ok_and(|number| number * factor == ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_in_any_unit() {
        for shown in ["60000ms", "60s", "1min"] {
            assert!(is_same(shown, "60000ms"), "{shown}");
        }
        assert!(is_same("0", "0ms") && is_same("off", "off"));
        assert!(!is_same("1s", "60000ms") && !is_same("serializable", "read committed"));
    }

    #[test]
    fn settings_of_a_role_are_sql_that_can_be_pasted() {
        let session: Session = [("lock_timeout", "0ms".to_owned())].into_iter().collect();
        let sql = session.as_role_settings("a\"b");
        assert_eq!(sql, "ALTER ROLE \"a\"\"b\" SET lock_timeout = '0ms';");
    }
}
