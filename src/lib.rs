//! A follow graph as a service: GraphQL for who follows whom, on SQLite and PostgreSQL.
//!
//! This page is the map of the sources. How to run the server is in `README.md`, how the tables
//! are made in `migrations/README.md`, and what is promised when things fail, with the figures, in
//! `docs/reliability.md`.
//!
//! # From above
//!
//! One binary answers GraphQL over HTTP. Behind it are a library of layers and one database,
//! SQLite or PostgreSQL. Each layer uses those to its right, and never one to its left:
//!
//! ```text
//! cli, config -> app -> http -> graphql -> service -> store -> domain
//! ```
//!
//! **Invariant:** no arrow points back, `sqlx` is named in [`store`] alone, `async_graphql` in
//! [`graphql`] alone, `axum` in [`http`] and [`app`], `rust_embed` where the pages are served. `tests/it/tidy.rs` reads the sources and
//! fails when that is no longer true.
//!
//! # The map
//!
//! - [`domain`]: the words of the product and their rules. Plain data and pure functions; a value
//!   that exists is valid, since parsing is the only way to make one.
//! - [`store`]: the trait [`store::Store`], documented case by case, and two engines that keep it.
//!   All SQL is here, as constant text.
//! - [`service`]: the use cases, one method per verb, and the policy: who may follow whom, who is
//!   who, what a token is worth.
//! - [`graphql`]: types, loaders, limits and error codes. It shapes answers and decides nothing
//!   about follows.
//! - [`http`]: bytes to requests, tokens to viewers, replies to statuses; health, metrics,
//!   and the pages for the browser, which `playground/` builds.
//! - [`app`]: puts a server together from its parts. The only place that knows all layers.
//! - [`config`]: flags and variables of the environment, parsed once.
//! - [`cli`]: one file per command.
//!
//! # The life of a read
//!
//! 1. [`http`] negotiates the media type, bounds the body and authenticates the bearer token.
//! 2. The operation is looked at as a whole: size, depth, width, cost, page bounds, cursors,
//!    permissions. One that is refused has executed nothing.
//! 3. The executor resolves the fields at the root. Where one gives an object of the graph,
//!    everything below is projected (`graphql/projection`): planned from the selection, loaded a
//!    level at a time, and written as JSON at once. Resolvers answer when that fails.
//! 4. Both ask loaders, which live as long as the request. A loader gathers what is wanted on one
//!    level and makes it one call of [`service`] and one statement. A page of a list is a loader's
//!    key too, so that both lists of a hundred users are one statement.
//! 5. [`service`] takes the rows of users from those that it remembers (`service/users/cache.rs`), so
//!    that a page needs no more than ids; without them, a page brings its users along.
//! 6. Small look-ups of many requests share a statement, as long as others are under way
//!    (`store/lookups.rs`).
//!
//! **Invariant:** the number of SQL statements of an operation depends on its shape, never on how
//! many objects are in the answer. `tests/it` asserts the exact numbers.
//!
//! # The life of a write
//!
//! One method of the store is one unit of work. Follows and unfollows that are asked for at the
//! same time are one as well: while a group of them is written, the next gathers
//! ([`store::Store::change_follow`]). It writes its edges, their mirrors and all counts in one transaction,
//! with a handful of statements however large it is, and lets the rows taken decide what happened,
//! so that it can be repeated and raced without harm. Each caller is told what became of their own
//! change, and a change is made although its client has left.
//!
//! **Invariant:** after every commit there is at most one edge for a pair and none to oneself,
//! `followers` holds exactly the edges of `follows`, and each count is the number of its edges.
//! `entourage check` recounts them.
//!
//! # What is not here
//!
//! **Invariant:** no resolver asks the store, and no statement is run for what is not selected.
//!
//! **Invariant:** of the graph only the rows of users are kept between requests, never edges, counts
//! or what permissions depend on, and none that was not true a second ago; so any number of servers
//! can work on one PostgreSQL database. (Limits over time are counted by each server for itself.)
//!
//! **Invariant:** the engine is chosen once, in [`store::connect`]. Nothing above asks which one
//! it is; what lies beside a file is told by [`store::sqlite_file`].
//!
//! **Invariant:** no trigger, no sequence and no clock of the database: ids and times come from
//! the program, and are passed in together with all randomness, so that a test can choose them.
//!
//! **Invariant:** no document, variable or token of a client becomes SQL, a log line or a label of
//! a metric, and no cause of an internal failure becomes an answer.
//!
//! **Invariant:** there is no `unsafe` code.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod service;
pub mod store;
