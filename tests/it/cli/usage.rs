//! Invalid command lines: exit code 2, one line, and nothing happens.

use tempfile::TempDir;

use super::{names_in, refused, run};

#[track_caller]
fn is_refused(arguments: &[&str], variables: &[(&str, &str)], line: &str) {
    let folder = TempDir::new().expect("a folder");
    refused(&run(folder.path(), arguments, variables), 2, line);
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn a_command_is_needed() {
    is_refused(&[], &[], "a command is missing; see `entourage --help`");
    is_refused(&["user"], &[], "a command is missing; see `entourage --help`");
    is_refused(&["sing"], &[], "unrecognized subcommand 'sing'; see `entourage --help`");
}

#[test]
fn a_similar_name_is_suggested() {
    let line = "unexpected argument '--lisen' found; a similar argument exists: '--listen'; see \
                `entourage --help`";
    is_refused(&["serve", "--lisen", "x"], &[], line);
    let line = "unrecognized subcommand 'migrat'; a similar subcommand exists: 'migrate'; see \
                `entourage --help`";
    is_refused(&["migrat"], &[], line);
    let line = "invalid value 'opn' for '--sign-up <open|closed>' [possible values: open, closed] \
                (flag, or variable ENTOURAGE_SIGN_UP); a similar value exists: 'open'; see \
                `entourage --help`";
    is_refused(&["serve"], &[("ENTOURAGE_SIGN_UP", "opn")], line);
}

#[test]
fn an_unknown_flag_is_refused() {
    let line = "unexpected argument '--king' found; see `entourage --help`";
    is_refused(&["serve", "--king", "x"], &[], line);
}

#[test]
fn a_bad_value_is_refused_with_its_variable() {
    let line = "invalid value '99' for '--listen <ADDRESS>': write HOST:PORT, such as \
                127.0.0.1:8000, 0.0.0.0:80 or [::1]:8000 (flag, or variable \
                ENTOURAGE_LISTEN); see `entourage --help`";
    is_refused(&["serve", "--listen", "99"], &[], line);
    is_refused(&["serve"], &[("ENTOURAGE_LISTEN", "99")], line);

    let line = "invalid value 'never' for '--execution-time-max <TIME>': write a number with \
                ms, s, m, h or d, such as 10s; at most 3650d (flag, or variable \
                ENTOURAGE_EXECUTION_TIME_MAX); see `entourage --help`";
    is_refused(&["serve"], &[("ENTOURAGE_EXECUTION_TIME_MAX", "never")], line);

    let line = "invalid value 'maybe' for '--sign-up <open|closed>' [possible values: open, \
                closed] (flag, or variable \
                ENTOURAGE_SIGN_UP); see `entourage --help`";
    is_refused(&["serve"], &[("ENTOURAGE_SIGN_UP", "maybe")], line);
}

#[test]
fn every_variable_with_a_rule_is_checked() {
    for (variable, value) in [
        ("ENTOURAGE_DATABASE_CONNECTIONS_MAX", "0"),
        ("ENTOURAGE_DATABASE_ACQUIRE_TIMEOUT", "5"),
        ("ENTOURAGE_DATABASE_STATEMENT_TIMEOUT", " "),
        ("ENTOURAGE_DEMO", "perhaps"),
        ("ENTOURAGE_MIGRATE", "perhaps"),
        ("ENTOURAGE_FEDERATION", "2"),
        ("ENTOURAGE_RATE_LIMITS", "some"),
        ("ENTOURAGE_APQ", "perhaps"),
        ("ENTOURAGE_DOCUMENTS_ONLY", "perhaps"),
        ("ENTOURAGE_SUGGESTIONS", "some"),
        ("ENTOURAGE_CORS_ORIGINS", "null"),
        ("ENTOURAGE_CORS_ORIGINS", "app.example.com"),
        ("ENTOURAGE_CORS_ORIGINS", "https://example.com/"),
        ("ENTOURAGE_CORS_ORIGINS", "https://example.com/path"),
        ("ENTOURAGE_CORS_ORIGINS", "https://example.com, localhost:3000"),
        ("ENTOURAGE_TRUSTED_PROXIES", "10.0.0.0/8, proxy.internal"),
        ("ENTOURAGE_BASE_PATH", "social"),
        ("ENTOURAGE_BASE_PATH", "/graphql"),
        ("ENTOURAGE_IDLE_TIMEOUT", "75"),
        ("ENTOURAGE_METRICS_LISTEN", "9000"),
        ("ENTOURAGE_BODY_BYTES_MAX", "0"),
        ("ENTOURAGE_TOKENS_MAX", "-1"),
        ("ENTOURAGE_DEPTH_MAX", "0"),
        ("ENTOURAGE_ALIASES_MAX", "x"),
        ("ENTOURAGE_ROOT_FIELDS_MAX", "0"),
        ("ENTOURAGE_FRAGMENTS_MAX", "-1"),
        ("ENTOURAGE_VARIABLES_MAX", "many"),
        ("ENTOURAGE_DIRECTIVES_MAX", "1.5"),
        ("ENTOURAGE_NODES_MAX", "0"),
        ("ENTOURAGE_PAGE_SIZE_MAX", "10001"),
        ("ENTOURAGE_COST_PER_MINUTE_MAX", "0"),
        ("ENTOURAGE_JWKS_REFRESH", "5"),
        ("ENTOURAGE_JWT_SCOPE_CLAIM", "a b"),
        ("ENTOURAGE_JWT_SCOPE_POLICY", "wide"),
        ("ENTOURAGE_JWT_USERNAME_CLAIMS", "nickname, a b"),
        ("ENTOURAGE_JWT_NAME_CLAIMS", "a\tb"),
        ("ENTOURAGE_JWT_PICTURE_CLAIMS", "a b"),
        ("ENTOURAGE_JWT_ROLE_CLAIM", "my roles"),
        ("ENTOURAGE_JWT_PROFILES", "some"),
        ("RUST_LOG", "entourage=loud"),
        ("ENTOURAGE_LOG_FORMAT", "xml"),
        ("ENTOURAGE_SLOW_OPERATION", "never"),
    ] {
        let folder = TempDir::new().expect("a folder");
        let line = super::complaint(&run(folder.path(), ["serve"], &[(variable, value)]), 2);
        assert!(line.contains(&format!("variable {variable})")), "{line}");
        assert!(!line.contains("non-zero type"), "{line}");
        assert_eq!(names_in(folder.path()), [""; 0], "{variable}");
    }
}

#[test]
fn an_empty_flag_is_refused() {
    let line = "DATABASE_URL must begin with sqlite:// or postgres://; see `entourage --help`";
    is_refused(&["serve", "--database-url="], &[], line);
    let line = "a value is required for '--jwks <FILE|URL>' but none was supplied (flag, or \
                variable ENTOURAGE_JWKS); see `entourage --help`";
    is_refused(&["serve", "--jwks="], &[], line);
}

#[test]
fn an_origin_that_is_none_is_refused_with_the_preset() {
    let run = run(&std::env::temp_dir(), ["serve", "--cors-origins", "localhost:3000"], &[]);
    let line = super::complaint(&run, 2);
    for word in ["'localhost:3000'", "`development` for every port of localhost"] {
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn a_key_is_given_once() {
    let both = [("ENTOURAGE_JWT_SECRET", "a"), ("ENTOURAGE_JWT_SECRET_FILE", "b")];
    let line = "the argument '--jwt-secret <KEY>' cannot be used with '--jwt-secret-file <FILE>' \
                (flag, or variable ENTOURAGE_JWT_SECRET); see `entourage --help`";
    is_refused(&["serve"], &both, line);
}

#[test]
fn settings_of_a_provider_need_its_keys() {
    let line = "the following required arguments were not provided: --jwks <FILE|URL>; see \
                `entourage --help`";
    for variable in [
        ("ENTOURAGE_JWKS_REFRESH", "1m"),
        ("ENTOURAGE_JWT_ISSUER", "https://id.example"),
        ("ENTOURAGE_JWT_AUDIENCE", "entourage"),
        ("ENTOURAGE_JWT_SCOPE_CLAIM", "scp"),
        ("ENTOURAGE_JWT_SCOPE_PREFIX", "entourage:"),
        ("ENTOURAGE_JWT_SCOPE_POLICY", "ignore"),
        ("ENTOURAGE_JWT_USERNAME_CLAIMS", "nickname"),
        ("ENTOURAGE_JWT_NAME_CLAIMS", "full_name"),
        ("ENTOURAGE_JWT_PICTURE_CLAIMS", "image"),
        ("ENTOURAGE_JWT_ROLE_CLAIM", "roles"),
        ("ENTOURAGE_JWT_PROFILES", "off"),
    ] {
        is_refused(&["serve"], &[variable], line);
    }
}

#[test]
fn a_scope_names_permissions() {
    let line = "invalid value 'fly' for '--scope <PERMISSION>' [possible values: follow, moderate, \
                admin]; see `entourage --help`";
    is_refused(&["token", "ada", "--scope", "fly"], &[], line);
}

#[test]
fn a_url_names_a_database_and_is_not_shown() {
    let scheme = "DATABASE_URL must begin with sqlite:// or postgres://";
    let unread = "DATABASE_URL cannot be read: ";
    for (url, begin) in [
        ("mysql://bob:hunter2@localhost/follows", scheme),
        ("follows.db", scheme),
        ("sqlite://", unread),
        ("sqlite::memory:", unread),
        ("sqlite://x.db?foo=hunter2", unread),
        ("postgres://bob:hunter2@localhost:port/follows", unread),
    ] {
        // Without a key: the URL is checked before any key.
        for arguments in [&["serve"][..], &["migrate"], &["check"]] {
            let folder = TempDir::new().expect("a folder");
            let run = run(folder.path(), arguments, &[("DATABASE_URL", url)]);
            let line = super::complaint(&run, 2);
            assert!(line.starts_with(begin), "{url}: {line}");
            assert!(line.ends_with("; see `entourage --help`"), "{url}: {line}");
            assert!(!line.contains("bob"), "{url}: {line}");
            assert_eq!(names_in(folder.path()), [""; 0], "{url}");
        }
    }
}
