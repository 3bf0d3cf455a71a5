//! A whole server in this process, on its own port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use entourage::{
    app::{self, App, Settings},
    domain::{Limits, Standing, UsernameKey},
    graphql::Projections,
    service::{NewAccount, Parts, Providers, Service, SystemRandom, Tokens},
    store::{Statements, Store},
};
use reqwest::{Method, RequestBuilder, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinHandle, yield_now},
    time::timeout,
};

use super::database::{Database, Engine};

/// The signing key of every test app.
pub(crate) const SECRET: &[u8] = b"the secret of the tests, 32 bytes";

/// A query that every schema answers.
pub(crate) const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

/// The default settings, but sign-up is open and nothing is limited over time.
pub(crate) fn settings() -> Settings {
    Settings { sign_up: true, rate_limits: false, ..Settings::default() }
}

/// The same without the cache of users.
pub(crate) fn uncached() -> Settings {
    let limits = Limits { users_cached_max: 0, ..Limits::default() };
    Settings { limits, ..settings() }
}

/// The tokens of every test app.
pub(crate) fn tokens() -> Tokens {
    Tokens::new(SECRET).expect("the secret is long enough")
}

/// A server that stops when it is dropped.
pub(crate) struct TestApp {
    /// The bound address.
    pub(crate) address: SocketAddr,
    /// Its store, for tests that bypass the API.
    pub(crate) store: Arc<dyn Store>,
    service: Arc<Service>,
    statements: Statements,
    projections: Projections,
    expects_faults: bool,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<()>>,
    database: Option<Database>,
}

impl TestApp {
    /// On a SQLite database of its own.
    pub(crate) async fn start() -> Self {
        Self::with(settings()).await
    }

    /// On a SQLite database of its own, with other settings.
    pub(crate) async fn with(settings: Settings) -> Self {
        Self::on(Database::migrated(Engine::Sqlite).await, settings).await
    }

    /// On a given database.
    pub(crate) async fn on(database: Database, settings: Settings) -> Self {
        Self::arranged(database, settings, |app| app).await
    }

    /// On a given database, with the tokens of identity providers as well.
    pub(crate) async fn trusting(
        database: Database,
        settings: Settings,
        providers: impl Into<Providers>,
    ) -> Self {
        Self::built(database, settings, tokens().trusting(providers), |app| app).await
    }

    /// On a given database, with a change to the app.
    pub(crate) async fn arranged(
        database: Database,
        settings: Settings,
        arrange: impl FnOnce(App) -> App,
    ) -> Self {
        Self::built(database, settings, tokens(), arrange).await
    }

    /// On a store that the test provides.
    pub(crate) async fn over(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::serving(store, None, settings, tokens(), |app| app).await
    }

    /// The same server, whose projections may fall back to the resolvers.
    pub(crate) fn expecting_faults(mut self) -> Self {
        self.expects_faults = true;
        self
    }

    async fn built(
        database: Database,
        settings: Settings,
        accepted: Tokens,
        arrange: impl FnOnce(App) -> App,
    ) -> Self {
        let store = Arc::clone(&database.store);
        Self::serving(store, Some(database), settings, accepted, arrange).await
    }

    async fn serving(
        store: Arc<dyn Store>,
        database: Option<Database>,
        settings: Settings,
        accepted: Tokens,
        arrange: impl FnOnce(App) -> App,
    ) -> Self {
        let service = Service::new(Parts {
            store: Arc::clone(&store),
            tokens: tokens(),
            clock: Arc::clone(&settings.clock),
            random: Arc::new(SystemRandom),
            sign_up: true,
            federation: false,
            rate_limits: false,
            events_kept: Duration::from_hours(1),
            webhook: None,
            limits: Limits::default(),
        });
        let caches_users = settings.limits.users_cached_max > 0;
        let app = arrange(App::new(Arc::clone(&store), accepted, settings));
        let (statements, projections) = (app.statements(), app.projections());
        let served_service = app.service();

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(app::serve(app, listener, shutdown));
        let cache_is_on = async {
            while !served_service.caches_users() {
                yield_now().await;
            }
        };
        if caches_users {
            timeout(Duration::from_secs(30), cache_is_on).await.expect("the cache turns on");
        }
        Self {
            address,
            store,
            service,
            statements,
            projections,
            expects_faults: false,
            client: reqwest::Client::new(),
            stop: Some(stop),
            served,
            database,
        }
    }

    /// What its database is.
    pub(crate) fn engine(&self) -> Engine {
        self.database.as_ref().map_or(Engine::Sqlite, Database::engine)
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request for the test to complete.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A POST of a JSON body to the endpoint.
    pub(crate) fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json").body(body)
    }

    /// The whole response to an operation: `data` and `errors`.
    pub(crate) async fn graphql(
        &self,
        query: &str,
        variables: Value,
        token: Option<&str>,
    ) -> Value {
        let request = self.post(json!({ "query": query, "variables": variables }).to_string());
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("the answer is JSON")
    }

    /// Sends raw bytes and returns everything until the server closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the server accepts");
        stream.write_all(bytes).await.expect("the server reads");
        read_to_end(stream).await
    }

    /// Creates a user and returns a token for them.
    pub(crate) async fn sign_up(&self, username: &str) -> String {
        let new = NewAccount { username: username.to_owned(), name: None, password: None };
        self.service
            .operator()
            .add_user(new, Standing::Active, None)
            .await
            .expect("the store works")
            .expect("the name is free");
        self.token(username, None).await
    }

    /// The hash of a password, for accounts that a test creates in the store.
    pub(crate) async fn hash(&self, password: &str) -> String {
        self.service.operator().hash_password(password).await.expect("it hashes")
    }

    /// A token for an existing user.
    pub(crate) async fn token(&self, username: &str, scope: Option<&str>) -> String {
        let key = UsernameKey::parse(username).expect("a username");
        let token = self.service.operator().token(&key, scope, TimeDelta::hours(1)).await;
        token.expect("the store works").expect("the user is there")
    }

    /// How many SQL statements the server has run.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.total()
    }

    /// How many objects the server has projected.
    pub(crate) fn projections(&self) -> u64 {
        self.projections.total()
    }

    /// Signals the shutdown without waiting.
    pub(crate) fn stop(&mut self) {
        let stop = self.stop.take().expect("it is stopped once");
        stop.send(()).expect("it is running");
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        let served = (&mut self.served).await;
        served.expect("it does not panic").expect("it does not fail");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.served.abort();
        if !self.expects_faults && !std::thread::panicking() {
            assert_eq!(self.projections.fallbacks(), 0, "an answer could not be projected");
        }
    }
}

/// Reads until the other side closes.
pub(crate) async fn read_to_end(mut stream: TcpStream) -> String {
    let mut reply = Vec::new();
    // A reset after the reply counts as closing.
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}
