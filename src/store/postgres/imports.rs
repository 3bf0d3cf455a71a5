//! Imports: the statements of this engine.

use crate::store::sql::user_columns;

/// Users with their roles, by one of three parameters.
macro_rules! imported {
    ($column:literal, $list:literal) => {
        concat! {
            "SELECT r.name AS role, ", user_columns!("u."),
            " FROM users u JOIN roles r ON r.id = u.role_id WHERE u.", $column, " = ANY(", $list, ")"
        }
    };
}

statements! {
    IMPORTED_USERS = concat!(
        imported!("id", "$1"), " UNION ALL ", imported!("username_key", "$2"), " UNION ALL ",
        imported!("subject", "$3")
    );
    IDS_BY_EXTERNAL_IDS = "SELECT subject, id FROM users WHERE subject = ANY($1) AND standing <> 2";
    IDS_BY_USERNAMES = "SELECT username_key, id FROM users WHERE username_key = ANY($1) AND standing <> 2";
}
