//! Which column of a table has which of our fields.

use std::fmt::Write;

use super::table::Values;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub(super) place: usize,
    pub(super) name: String,
}

/// A field that a table may have, and the names that other applications give its column. Earlier names
/// go before later ones.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) others: &'static [&'static str],
}

const fn field(name: &'static str, others: &'static [&'static str]) -> Field {
    Field { name, others }
}

/// The fields of users.
pub(super) const USERS: &[Field] = &[
    field("id", &[]),
    field("external_id", &["subject"]),
    field("username", &["user_name", "login", "handle", "screen_name"]),
    field("name", &["display_name", "full_name"]),
    field("bio", &["about_me", "about", "description"]),
    field("avatar_url", &["avatar", "picture", "image_url"]),
    field("created_at", &["member_since", "date_joined", "joined_at", "inserted_at"]),
    field("role", &[]),
    field("password_hash", &["password", "password_digest", "encrypted_password"]),
];

/// The fields of follows.
pub(super) const FOLLOWS: &[Field] = &[
    field("follower", &["follower_id", "from_profile_id", "from_user_id", "from_id"]),
    field(
        "followee",
        &["followed_id", "followee_id", "following_id", "to_profile_id", "to_user_id", "to_id"],
    ),
    field("followed_at", &["at", "timestamp", "created_at", "created", "since"]),
];

/// The columns of an application that cannot be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name on the command line.
    pub name: &'static str,
    /// Our field and the name of its column, for users.
    pub users: &'static [(&'static str, &'static str)],
    /// The same for follows.
    pub follows: &'static [(&'static str, &'static str)],
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 5] = [
        Self {
            name: "sqlalchemy",
            users: &[("created_at", "member_since")],
            follows: &[
                ("follower", "follower_id"),
                ("followee", "followed_id"),
                ("followed_at", "timestamp"),
            ],
        },
        Self {
            name: "flask-microblog",
            users: &[("bio", "about_me")],
            follows: &[("follower", "follower_id"), ("followee", "followed_id")],
        },
        Self {
            name: "django",
            users: &[("name", "first_name"), ("created_at", "date_joined")],
            follows: &[("follower", "from_profile_id"), ("followee", "to_profile_id")],
        },
        Self {
            name: "rails",
            users: &[("username", "name"), ("password_hash", "password_digest")],
            follows: &[
                ("follower", "follower_id"),
                ("followee", "followed_id"),
                ("followed_at", "created_at"),
            ],
        },
        Self {
            name: "laravel",
            users: &[("username", "name"), ("password_hash", "password")],
            follows: &[
                ("follower", "follower_id"),
                ("followee", "user_id"),
                ("followed_at", "created_at"),
            ],
        },
    ];
}

/// What the operator says of the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The application.
    pub preset: Option<Preset>,
    /// Our fields and the names of their columns. They go before the preset.
    pub given: Vec<(String, String)>,
}

/// The columns of our fields, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Option<Column>>);

impl Columns {
    /// Finds the columns of users.
    ///
    /// # Errors
    /// What is wrong with the columns, or with what the operator says of them.
    pub fn of_users(header: &[String], mapping: &Mapping) -> Result<Self, String> {
        let columns =
            Self::find(USERS, header, mapping, mapping.preset.map(|preset| preset.users))?;
        columns.require("username", header)?;
        Ok(columns)
    }

    /// Finds the columns of follows.
    ///
    /// # Errors
    /// What is wrong with the columns, or with what the operator says of them.
    pub fn of_follows(header: &[String], mapping: &Mapping) -> Result<Self, String> {
        let preset = mapping.preset.map(|preset| preset.follows);
        let columns = Self::find(FOLLOWS, header, mapping, preset)?;
        columns.require("follower", header)?;
        columns.require("followee", header)?;
        Ok(columns)
    }

    fn find(
        fields: &'static [Field],
        header: &[String],
        mapping: &Mapping,
        preset: Option<&[(&str, &str)]>,
    ) -> Result<Self, String> {
        for (name, _) in &mapping.given {
            if !fields.iter().any(|field| field.name == name) {
                let known: Vec<_> = fields.iter().map(|field| field.name).collect();
                return Err(format!("--map: unknown field {name:?}; fields: {}", known.join(", ")));
            }
        }
        let place = |name: &str| header.iter().position(|other| other.eq_ignore_ascii_case(name));
        let column = |place: usize| Column { place, name: header[place].clone() };
        let missing = |field: &Field, name: &str| {
            format!("no column {name:?} for {}; columns: {}", field.name, header.join(", "))
        };
        let of_field = |field: &Field| {
            let given = mapping.given.iter().find(|(name, _)| name == field.name);
            if let Some((_, name)) = given {
                return place(name).map(column).map(Some).ok_or_else(|| missing(field, name));
            }
            let preset = preset.unwrap_or_default().iter().find(|(name, _)| *name == field.name);
            let names = preset.map(|(_, name)| *name).into_iter();
            let names = names.chain([field.name]).chain(field.others.iter().copied());
            Ok(names.filter_map(place).map(column).next())
        };
        let columns = fields.iter().map(of_field).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(columns))
    }

    fn require(&self, name: &str, header: &[String]) -> Result<(), String> {
        if self.get(name).is_some() {
            return Ok(());
        }
        Err(format!(
            "no column for {name}; columns: {}; say which one it is by --map {name}=COLUMN",
            header.join(", ")
        ))
    }

    /// The value of a field. A row of JSON Lines may have fields that the first one has not.
    pub(super) fn value(&self, values: &Values, field: &str) -> Option<String> {
        match self.get(field) {
            Some(column) => values.get(column),
            None => values.named(field),
        }
    }

    /// The column of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Column> {
        let fields = if self.0.len() == USERS.len() { USERS } else { FOLLOWS };
        let place = fields.iter().position(|field| field.name == name)?;
        self.0[place].as_ref()
    }

    /// How the columns were understood, for people and for the id of an import.
    #[must_use]
    pub fn description(&self) -> String {
        let fields = if self.0.len() == USERS.len() { USERS } else { FOLLOWS };
        let mut text = String::new();
        for (field, column) in fields.iter().zip(&self.0) {
            if let Some(column) = column {
                let separator = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{separator}{} from {}", field.name, column.name);
            }
        }
        text
    }
}
