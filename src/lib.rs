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
//! cli, config -> app -> http -> graphql -> transfer -> service -> store -> domain
//! ```
//!
//! **Invariant:** no arrow points back. `sqlx` is named in [`store`] alone, `async_graphql` in
//! [`graphql`] alone, `axum` in [`http`] and [`app`], `rust_embed` where the pages are served.
//! `tests/it/tidy.rs` reads the sources and fails when that is no longer true.
//!
//! # The map
//!
//! - [`domain`]: the words of the product and their rules, `follow_rule` among them, which decides
//!   a follow, and `privacy`, which decides who sees a list. Plain data and pure functions; a value that exists is
//!   valid, since parsing is the only way to make one.
//! - [`store`]: the trait [`store::Store`], documented case by case, and two engines that implement
//!   it. All SQL is here, as constant text. Both engines are split by the same subjects: `users`,
//!   `accounts`, `search`, `follows/` (counts, relations, `pages`, `writes`), `maintenance/`
//!   (migrations, bulk loading, deletion, drift), `lookups` (which reads share statements), `watch` (changes of
//!   users). Beside them: `shared/` (what both engines do in the same way, compiled for each),
//!   `sql.rs` (texts that both engines share), `batching/` (many calls in one statement, and the
//!   connections kept warm for them), `follow_writes/` (the queue of follows, the decision, the
//!   attempts), `error.rs` and `retry.rs` (which failures are temporary, and what is tried again), `health.rs` (what failures say about
//!   readiness),
//!   `statement.rs` (counts statements).
//! - [`service`]: the use cases, one method per verb; every read and change is made for a viewer,
//!   for a signed-out caller or for the operator: `follows`, `safety` (requests, blocks, mutes,
//!   settings), `administration`, `users/` (with the cache), `auth/`, `limits/`, and `policy`, which
//!   decides what a viewer may do and see.
//! - [`transfer`]: files of users and follows: `table` reads them row by row, `columns` says what is in
//!   which column, `list` what a list of one account is, `import/` loads their rows in chunks that can be
//!   repeated, `export` writes them, and `account` everything of one account.
//! - [`graphql`]: `types/` is the schema; `operation/` is what happens before execution: find the
//!   document (`persisted/`), parse (`syntax/`), validate (`validation/`), coerce the variables
//!   (`coercion.rs`), guard, translate; `lists.rs` has one row for each connection, `projection/`
//!   answers plain data and has one row for each field (`types/user.rs`). It decides nothing about
//!   follows.
//! - [`http`]: bytes to requests, tokens to viewers, replies to statuses; `live/` for subscriptions
//!   over WebSocket and server-sent events; health, metrics, and the pages for the browser, which
//!   `playground/` builds.
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
//!    the selection, loaded a level at a time, and written as JSON at once. If loading fails, the
//!    resolvers of its fields answer instead, with the errors and nulls where they belong.
//! 4. Projection and resolvers ask loaders, which live as long as the request. A loader collects
//!    the keys of one level and makes one call of [`service::SeenBy`], which is one statement. A
//!    page of a list is a key too, so both lists of a hundred users are one statement.
//! 5. The service takes the rows of users from its cache, and reads the missing ones with one more
//!    statement.
//! 6. Look-ups of a few keys (at most 16) from different requests share a statement when one is
//!    running already. A single caller never waits for others.
//!
//! **Invariant:** the number of SQL statements of an operation depends on its shape (fields and
//! levels), never on how many objects are in the answer. `tests/it` asserts the exact numbers.
//!
//! **Invariant:** every read whose answer may depend on the reader (users, counts, pages) names its
//! audience. A page or count has its reader in its key, so those of several readers share a
//! statement. Reads for a viewer whom others block are not shared, and leave those users out in SQL,
//! so that pages, counts and `hasNextPage` agree. A hidden list is not read at all.
//!
//! # The life of a write
//!
//! One method of the store is one unit of work. Follows and unfollows that arrive while a batch is
//! being written form the next batch. A batch writes its edges, their mirrors and all counts in one
//! transaction, with a handful of statements however large it is. Requests and blocks are edges of
//! their own tables and take the same path. The rows that the statements
//! inserted and deleted decide the outcome, so a batch can be retried and raced without harm. Each
//! caller gets the outcome of their own change, and a change is carried out even if its client has
//! left.
//!
//! Two servers may add edges of different kinds for the same two users without touching the same row
//! before the counts. So a write that added one looks again, once it has locked the counts, whenever
//! the lengths in them allow for the other; what it finds makes it start again.
//!
//! **Invariant:** after every commit there is at most one edge of a kind for a pair and none to
//! oneself, none beside a block of the two users, no request beside its follow; each mirror holds
//! exactly the edges of its table, and each count is the number of its edges. `entourage check`
//! recounts them.
//!
//! # Glossary
//!
//! The product:
//!
//! | term | meaning |
//! |---|---|
//! | user, account | a user is what everybody may see; an account adds the role, password and tokens |
//! | follower, followee | who follows, who is followed |
//! | follow | an edge `follower -> followee`: a row of `follows`; its *mirror* is the same edge in `followers` |
//! | list | all follows of a user in one direction: followers or following |
//! | relation | both follows between a viewer and another user |
//! | viewer, operator | the signed-in caller; the person at the command line |
//! | administration, audit log | changes of other users by viewers with `MODERATE` or `ADMIN`, and by the operator; what they have changed |
//! | host, external id | the application beside which the server runs; its id of a user |
//! | provider, subject, claim | an identity provider of the host, whose tokens are accepted; its id of a user; what a token says |
//! | audience, reader | whom an answer is for: everybody, a viewer or a moderator; the same for one list, whose owner sees it always |
//! | edge | a follow, a request or a block: a row about two users, stored with each of them |
//! | request | a follow of a private account that waits for consent |
//! | block, blocker | a user for whom the other does not exist; the user who has blocked them |
//! | mute | a user whom the muter does not want to hear of |
//! | hidden list | a list that its owner does not show to this reader: it reads as an empty one |
//! | tie | what is between a viewer and another user besides follows |
//! | permission, role, scope | what an operation requires; what an account has; what a token allows of that |
//! | limit | a bound on one request (`Limits`) or on follows over time (`FollowLimits`) |
//! | quota, budget | what remains of the limits on follows; what remains of the cost per minute |
//! | standing | of an account: in use, suspended, or a machine's |
//! | follow standing | what the limits on a follow of one user depend on: the viewer's counts and changes, and those of the pair |
//! | form error | a rule that a field of a form breaks; a form is answered with all of them |
//! | search, name prefix | the words that users are looked for by; a stored beginning of a word of a name |
//! | refusal, failure | a rule forbids a change, which is an expected answer; something broke |
//! | drift | a difference between the counts or mirrors and the edges, or two edges that exclude each other |
//!
//! A GraphQL request:
//!
//! | term | meaning |
//! |---|---|
//! | document, operation | a GraphQL text; one query or mutation in it, with its variables |
//! | persisted document | one that a request names: *registered* by its hash, or *trusted* by a manifest |
//! | connection, `Edge`, cursor | the Relay terms: a page of a list with its metadata, an entry, a position |
//! | position | a place in the order of a list, whether or not a follow is there |
//! | page, window, bounds | a part of a list: its first or last n entries, between two positions |
//! | probe | the look beyond a bound that makes `hasNextPage` and `hasPreviousPage` exact |
//! | violation | a rule of the specification that a document breaks, with its places |
//! | coercion | giving the variables of a request the types that the operation declares |
//! | guard | the checks of an operation before any of it runs |
//! | cost | the number of nodes that an operation could return, plus a surcharge for expensive fields |
//! | translation | the operation as the executor takes it: variables filled in, fragments spread |
//! | projection | answering plain data from a plan of the selection, without a resolver per field |
//! | gateway, subgraph | joins the schemas of several servers into one; one of these servers |
//! | entity, representation | an object that several subgraphs know by a key; its type and key, as one of them refers to it |
//! | loader | a `DataLoader`: collects the keys of one level and loads them at once |
//!
//! The store:
//!
//! | term | meaning |
//! |---|---|
//! | batch | concurrent calls that are executed together |
//! | queue, drain | calls that wait for the next batch; moving them into it |
//! | permit | held by a batch; while it is held, no other batch starts unless the queue is long or the batch slow |
//! | shared look-up | one statement for the keys of several requests |
//! | warm connection | a connection kept ready, which skips the pool's liveness check |
//! | attempt, bisect | one try to write a batch of follows, in one transaction; halving it to isolate a change that fails |
//! | decision, plan | the outcome of each change of a batch; the rows to write for them |
//! | optimistic, slow path | write first, then check; read first, then write |
//! | log, event | the table `follow_events`, by user; a row of it: what happened to a follow of that user |
//! | hint | a report that a log has grown, which may be lost; the log itself has the events |
//! | outbox, message | the table `webhooks`; a row of it: a new follow or request that the host is to learn of |
//! | claimed, parked | being sent by a server, which has it for two minutes; failed too often, until the operator resends it |
//!
//! # What is deliberately absent
//!
//! **Invariant:** no resolver calls the store, and no statement runs for what is not selected.
//!
//! **Invariant:** of what is read from the database, only rows of users are cached between
//! requests, for at most a second after a change elsewhere: never follows, counts or permissions.
//! So any number of servers can work on one PostgreSQL database. Limits on follows are counted in
//! the database; each server counts cost and sign-in attempts for itself.
//!
//! **Invariant:** the engine is chosen once, in [`store::connect`]. Nothing above asks which one it
//! is; [`store::sqlite_file`] names the file that others lie beside.
//!
//! **Invariant:** no trigger, no sequence and no clock of the database: ids and times come from the
//! program. They are passed in together with all randomness, so that a test can choose them.
//!
//! **Invariant:** no document, variable or token of a client becomes SQL, a log line or a label of
//! a metric, and no cause of an internal failure becomes an answer. Of a document, only the name of
//! the operation is logged.
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
pub mod transfer;
