//! Behind a real nginx: idle connections, and paths that it removes or passes on.

use std::time::Duration;

use entourage::{app::Settings, http::Timeouts};
use futures_util::future::join_all;
use reqwest::{
    Client,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::json;
use tokio::time::interval;

use super::{
    TYPENAME,
    base_path::{BROWSER, social},
    send,
};
use crate::support::{
    app::{TestApp, settings},
    nginx::Nginx,
};

#[tokio::test]
async fn posts_after_idle_times_are_never_a_502() {
    let timeouts = Timeouts { idle: Duration::from_millis(400), ..Timeouts::default() };
    let app = TestApp::with(Settings { timeouts, ..settings() }).await;
    let pool = "keepalive 16; keepalive_timeout 250ms;";
    let nginx = Nginx::start(app.address, pool, "proxy_pass http://entourage/;").await;

    // Pauses around the time after which nginx closes its connection, and around that of the
    // server.
    let client = Client::new();
    let posts = (0..12_u64).map(async |n| {
        let mut pauses = interval(Duration::from_millis(120 + 40 * n));
        let mut statuses = Vec::new();
        for _ in 0..6 {
            pauses.tick().await;
            let post = client.post(nginx.url("/social/graphql"));
            let post = post.header(CONTENT_TYPE, "application/json").body(TYPENAME);
            statuses.push(send(post).await.status);
        }
        statuses
    });
    let statuses = join_all(posts).await.concat();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

#[tokio::test]
async fn a_proxy_may_remove_the_base_path_or_pass_it_on() {
    let app = social().await;
    app.sign_up("alice").await;
    for location in ["proxy_pass http://entourage/;", "proxy_pass http://entourage;"] {
        let nginx = Nginx::start(app.address, "", location).await;
        let client = Client::new();
        let get = async |path: &str, accept: &str| {
            send(client.get(nginx.url(path)).header(ACCEPT, accept)).await
        };

        for path in ["/social/", "/social/users/alice", "/social/graphiql", "/social/graphiql/"] {
            let page = get(path, BROWSER).await;
            assert_eq!(page.status, 200, "{location} {path}");
            assert!(page.body.starts_with("<base href=\"/social/\" />"), "{location} {path}");
        }
        for path in ["/social/assets/app-1.js", "/social/schema.graphql", "/social/readyz"] {
            assert_eq!(get(path, "*/*").await.status, 200, "{location} {path}");
        }

        let query = json!({ "query": "{ user(username: \"alice\") { avatarUrl } }" }).to_string();
        let post = client.post(nginx.url("/social/graphql/")).body(query);
        let reply = send(post.header(CONTENT_TYPE, "application/json")).await.json();
        let picture = reply["data"]["user"]["avatarUrl"].as_str().expect("a picture");
        assert_eq!(get(picture, "image/*").await.status, 200, "{location} {picture}");

        let visit = client.get(nginx.url("/social/graphql?query=%7B__typename%7D"));
        let page = visit.header(ACCEPT, BROWSER).send().await.expect("it answers");
        assert_eq!((page.status().as_u16(), page.url().path()), (200, "/social/graphiql"));
        assert_eq!(page.url().host_str(), Some("127.0.0.1"));

        let page = get("/social/nowhere", BROWSER).await;
        assert_eq!(page.status, 404, "{location}");
        assert!(page.body.ends_with("the app"), "{location}: {}", page.body);
        let reply = get("/social/nowhere", "application/json").await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"), "{location}");
    }
}
