//! Certificates of a PostgreSQL server that TLS refuses.

use std::time::Duration;

use entourage::store::{self, Options};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{cluster::Cluster, figures::until};

/// A key of this test alone.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgutBwjgEEXYyZTJeE
VQlvdWBVYRyB/rXBdO5CKovXWAehRANCAARB3Jb7/zSB6aEJJ9EUlXGD5xnPlH91
VI4qa/PSVVY4rTtxzLypZF3U3sTHs/dneoMqVwPdBWU7L9hbHG5Cr+dU
-----END PRIVATE KEY-----";

/// Its certificate in version 1 of X.509: `openssl x509 -req -signkey` without extensions.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBIzCBywIUQUiZfnjEDldIP+Z1l6kaqBFCqIswCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTAxMDQwM1oYDzIxMjYxMTA1MDEwNDAz
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARB3Jb7/zSB6aEJJ9EUlXGD5xnPlH91VI4qa/PSVVY4rTtxzLypZF3U3sTHs/dn
eoMqVwPdBWU7L9hbHG5Cr+dUMAoGCCqGSM49BAMCA0cAMEQCIB2Z/Nj4SX7DbZ46
DSfFbRcn7FgoK4IXOkodxErX5KihAiBU4eqkCp5cr0eN/yfIHx9OcKCsf97PPAnN
xe8WTfVfhA==
-----END CERTIFICATE-----";

/// Gives a server a certificate, and waits until it is used.
async fn encrypt(cluster: &Cluster) {
    let url = format!("{}?sslmode=disable", cluster.url);
    let mut server = PgConnection::connect(&url).await.unwrap();
    for (file, text) in [("server.key", KEY), ("server.crt", CERTIFICATE)] {
        let copy = format!(
            "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) \
             TO PROGRAM 'umask 077 && cat >{file}'"
        );
        sqlx::query(AssertSqlSafe(copy)).execute(&mut server).await.unwrap();
    }
    sqlx::query("ALTER SYSTEM SET ssl = on").execute(&mut server).await.unwrap();
    sqlx::query("SELECT pg_reload_conf()").execute(&mut server).await.unwrap();
    until(Duration::from_secs(30), "the server has TLS", async || {
        let mut next = PgConnection::connect(&url).await.unwrap();
        let shown = sqlx::query_scalar("SHOW ssl").fetch_one(&mut next).await;
        shown.is_ok_and(|shown: String| shown == "on")
    })
    .await;
}

#[tokio::test]
async fn a_certificate_of_version_1_is_refused_with_a_way_out() {
    let cluster = Cluster::start().await;
    encrypt(&cluster).await;

    for mode in ["", "?sslmode=require"] {
        let url = format!("{}{mode}", cluster.url);
        let refused = store::connect(&url, Options::default()).await.unwrap_err().to_string();
        let reason = "the certificate of the server is of version 1 of X.509, which TLS does not \
                      take here: give the server one of version 3, as Citus does not by itself; or, \
                      in a network that you trust, set sslmode=disable";
        assert!(refused.ends_with(reason), "{refused}");
    }
    let url = format!("{}?sslmode=disable", cluster.url);
    store::connect(&url, Options::default()).await.unwrap().close().await;
}
