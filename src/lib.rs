//! A follow graph as a service: GraphQL for who follows whom, on SQLite and PostgreSQL.
//!
//! This page is the map of the sources. `README.md` says how to run the server, `CONTRIBUTING.md`
//! how to change it, `migrations/README.md` how the tables are made, and `docs/reliability.md` what
//! is promised when things fail, with the figures.
//!
//! # Bird's-eye view
//!
//! One binary answers GraphQL over HTTP. Behind it are a library of layers and one database,
//! SQLite or PostgreSQL. Each layer uses those to its right, and never one to its left:
//!
//! ```text
//! cli, config -> app -> http -> graphql -> service -> store -> domain
//! ```
//!
//! **Invariant:** no arrow points back. `sqlx` is named in [`store`] alone, `async_graphql` in
//! [`graphql`] alone, `axum` in [`http`] and [`app`], `rust_embed` where the pages are served.
//! `tests/it/tidy.rs` reads the sources and fails when that is no longer true.
//!
//! # The map
//!
//! - [`domain`]: the words of the product and their rules, `follow_rule` among them, which decides
//!   a follow. Plain data and pure functions; a value that exists is valid, since parsing is the
//!   only way to make one.
//! - [`store`]: the trait [`store::Store`], documented case by case, and two engines that keep it.
//!   All SQL is here, as constant text. Both engines have the same files by subject: `users`,
//!   `accounts`, `follows/` (counts, relations, `pages`, `writes`), `maintenance/`. Above them:
//!   `batching/` (many calls in one statement, and the connections kept warm for them),
//!   `follow_writes/` (the queue of follows, the decision, the attempts), `sql.rs` (texts that both
//!   engines share).
//! - [`service`]: the use cases, one method per verb, always as somebody: `follows`, `users/` (with
//!   the cache), `auth/`, `limits/`, and `policy`, which decides what a viewer may do and see.
//! - [`graphql`]: `types/` is the schema; `operation/` is what happens before execution: parse,
//!   validate, guard, translate; `lists.rs` has one row for each connection, `projection/` answers
//!   plain data and has one row for each field (`types/user.rs`). It decides nothing about
//!   follows.
//! - [`http`]: bytes to requests, tokens to viewers, replies to statuses; health, metrics, and the
//!   pages for the browser, which `playground/` builds.
//! - [`app`]: puts a server together from its parts. The only place that knows all layers.
//! - [`config`]: flags and environment variables, parsed once.
//! - [`cli`]: one file per command.
//!
//! # The life of a read
//!
//! 1. [`http`] negotiates the media type, bounds the body and authenticates the bearer token.
//! 2. The guard inspects the operation as a whole: size, depth, width, cost, page bounds, cursors,
//!    permissions. A refused operation has executed nothing.
//! 3. The executor resolves the root fields. An object of the graph is *projected*: planned from
//!    the selection, loaded a level at a time, and written as JSON at once. Resolvers answer when
//!    that fails.
//! 4. Both ask loaders, which live as long as the request. A loader collects the keys of one level
//!    and makes one call of [`service::SeenBy`], which is one statement. A page of a list is a key
//!    too, so both lists of a hundred users are one statement.
//! 5. The service takes the rows of users from its cache, and reads the missing ones with one more
//!    statement.
//! 6. Small look-ups of many requests share a statement while others are running.
//!
//! **Invariant:** the number of SQL statements of an operation depends on its shape (fields and
//! levels), never on how many objects are in the answer. `tests/it` asserts the exact numbers.
//!
//! **Invariant:** every read names its audience. Reads for everybody are shared and cached; reads
//! for one viewer are neither.
//!
//! # The life of a write
//!
//! One method of the store is one unit of work. Follows and unfollows that arrive while a group is
//! being written form the next group. A group writes its edges, their mirrors and all counts in one
//! transaction, with a handful of statements however large it is. The rows that the statements
//! really took decide what happened, so a group can be retried and raced without harm. Each caller
//! gets the outcome of their own change, and a change is carried out even if its client has left.
//!
//! **Invariant:** after every commit there is at most one edge for a pair and none to oneself,
//! `followers` holds exactly the edges of `follows`, and each count is the number of its edges.
//! `entourage check` recounts them.
//!
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | user, account | a user is what everybody may see; an account adds the role, password and tokens |
//! | follower, followee | who follows, who is followed; an edge runs `follower -> followee` |
//! | follow, edge | a row of `follows`; its *mirror* is the same edge in `followers` |
//! | list | all edges of a user in one direction: followers or following |
//! | relation | both edges between a viewer and another user |
//! | viewer, operator | the signed-in caller; who runs the command line |
//! | audience | whom an answer is for: everybody or one viewer |
//! | permission, role, scope | what an operation needs, what an account has, what a token allows of that |
//! | connection, edge, cursor | the Relay terms: a page of a list, an entry, a position |
//! | position | a place in a list's order, whether or not an edge is there |
//! | page, window, bounds | what is asked of a list: its first or last n entries between two positions |
//! | probe | the look beyond a bound that makes `hasNextPage` and `hasPreviousPage` exact |
//! | document, operation | a GraphQL text; one query or mutation in it, with its variables |
//! | guard | the checks of an operation before any of it runs |
//! | cost | the nodes that page sizes multiply to, and the work beside them |
//! | translation | the operation as the executor takes it: variables filled in, fragments spread |
//! | projection | answering plain data from a plan, without a resolver per field |
//! | loader | a `DataLoader`: collects the keys of one level and loads them at once |
//! | batch, permit, queue, drain | calls made together; the right to start a batch; calls that wait; taking them |
//! | shared look-up | one statement for the keys of several requests |
//! | warm connection | a connection kept ready, which skips the pool's liveness check |
//! | group | follows and unfollows that are committed together |
//! | attempt, bisect | one transaction for a group; halving a group to isolate a failing change |
//! | decision, plan | what each change of a group comes to, and the rows to write for it |
//! | optimistic, in steps | write first and check; look first and write |
//! | drift | a difference between the counts or mirrors and the edges |
//! | limit | a bound on one request (`Limits`) or on changes over time (`FollowLimits`) |
//! | quota, budget | what is left of the limits on follows; what is left of the cost of a minute |
//! | refusal | an expected answer to a change that a rule forbids; a *failure* is unexpected |
//!
//! # What is deliberately absent
//!
//! **Invariant:** no resolver calls the store, and no statement runs for what is not selected.
//!
//! **Invariant:** between requests only rows of users are kept, never edges, counts or permissions,
//! and no row older than a second; so any number of servers can work on one PostgreSQL database.
//! (Each server counts limits over time for itself.)
//!
//! **Invariant:** the engine is chosen once, in [`store::connect`]. Nothing above asks which one it
//! is; [`store::sqlite_file`] names the file that others lie beside.
//!
//! **Invariant:** no trigger, no sequence and no clock of the database: ids and times come from the
//! program. They are passed in together with all randomness, so that a test can choose them.
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
