//! Variables that look like settings but are not, most likely because their names are misspelt.

use std::{collections::BTreeSet, env};

use clap::Command;

/// What the names of our variables begin with.
const PREFIX: &str = "ENTOURAGE_";

/// The least similarity of a name that is worth mentioning, from 0 to 1.
const SIMILARITY_MIN: f64 = 0.75;

/// The variables among `names` that begin like our settings and that no command has, each with the
/// most similar setting, if one is similar.
///
/// Kubernetes sets variables for each service: if a service is called `entourage`, they begin with
/// `ENTOURAGE_SERVICE_` and `ENTOURAGE_PORT`. These are left out.
pub fn unknown_variables(
    command: &Command,
    names: impl IntoIterator<Item = String>,
) -> Vec<(String, Option<String>)> {
    let settings = settings(command);
    let names: BTreeSet<_> = names.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    let services: Vec<_> =
        names.iter().filter_map(|name| name.strip_suffix("_SERVICE_HOST")).collect();
    let is_of_service = |name: &str| {
        services.iter().any(|service| {
            let rest = name.strip_prefix(service).unwrap_or_default();
            rest.starts_with("_SERVICE_") || rest == "_PORT" || rest.starts_with("_PORT_")
        })
    };

    let unknown = names.iter().filter(|name| !settings.contains(*name) && !is_of_service(name));
    unknown.map(|name| (name.clone(), most_similar(name, &settings))).collect()
}

/// The names of the variables of the environment whose values are not empty: an empty one counts as
/// unset.
pub fn variables() -> impl Iterator<Item = String> {
    let set = env::vars_os().filter(|(_, value)| !value.is_empty());
    set.map(|(name, _)| name.to_string_lossy().into_owned())
}

/// The variables of a command and of its subcommands.
fn settings(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(settings)).collect()
}

fn most_similar(name: &str, settings: &BTreeSet<String>) -> Option<String> {
    let similar = settings.iter().map(|setting| (similarity(name, setting), setting));
    let (similarity, setting) = similar.max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (similarity >= SIMILARITY_MIN).then(|| setting.clone())
}

/// How similar two names are, from 0 to 1, also if their words are in another order.
fn similarity(left: &str, right: &str) -> f64 {
    let (left, right) = (without_prefix(left), without_prefix(right));
    let sorted = |name: &str| {
        let mut words: Vec<_> = name.split('_').collect();
        words.sort_unstable();
        words.join("_")
    };
    let in_order = strsim::jaro_winkler(left, right);
    in_order.max(strsim::jaro_winkler(&sorted(left), &sorted(right)))
}

fn without_prefix(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    const SETTINGS: [&str; 9] = [
        "DATABASE_URL",
        "ENTOURAGE_CORS_ORIGINS",
        "ENTOURAGE_DATABASE_DIRECT_URL",
        "ENTOURAGE_JWT_SECRET",
        "ENTOURAGE_LISTEN",
        "ENTOURAGE_LOG_FORMAT",
        "ENTOURAGE_NODES_MAX",
        "ENTOURAGE_PAGE_SIZE_MAX",
        "ENTOURAGE_SIGN_UP",
    ];

    fn unknown(names: &[&str]) -> Vec<(String, Option<String>)> {
        let settings = SETTINGS.map(|name| Arg::new(name).long(name).env(name));
        let command = Command::new("entourage").subcommand(Command::new("serve").args(settings));
        unknown_variables(&command, names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_misspelt_variable_has_the_most_similar_setting() {
        for (name, setting) in [
            ("ENTOURAGE_SIGNUP", "ENTOURAGE_SIGN_UP"),
            ("ENTOURAGE_JWT_SECRETS", "ENTOURAGE_JWT_SECRET"),
            ("ENTOURAGE_CORS_ORIGIN", "ENTOURAGE_CORS_ORIGINS"),
            ("ENTOURAGE_MAX_NODES", "ENTOURAGE_NODES_MAX"),
            ("ENTOURAGE_DATABASE_URL", "DATABASE_URL"),
            ("ENTOURAGE_LOGFORMAT", "ENTOURAGE_LOG_FORMAT"),
        ] {
            assert_eq!(unknown(&[name]), [(name.to_owned(), Some(setting.to_owned()))]);
        }
        assert_eq!(unknown(&["ENTOURAGE_XYZ"]), [("ENTOURAGE_XYZ".to_owned(), None)]);
    }

    #[test]
    fn settings_and_variables_of_others_are_known() {
        assert_eq!(unknown(&["ENTOURAGE_SIGN_UP", "PATH", "ENTOURAGES", "SIGN_UP"]), []);
    }

    #[test]
    fn variables_of_kubernetes_services_are_known() {
        let service = |name: &str| {
            let ends = ["SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_80_TCP_ADDR"];
            ends.map(|end| format!("{name}_{end}"))
        };
        let names = [service("ENTOURAGE"), service("ENTOURAGE_POSTGRES")].concat();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(unknown(&names), []);
        assert_eq!(unknown(&["ENTOURAGE_PORT"]).len(), 1);
    }
}
