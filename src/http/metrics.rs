//! Metrics of the process in Prometheus' text format.
//!
//! The recorder belongs to the process, so all servers of one process (tests run many) are
//! measured together. Labels are our own routes and codes, never text of a client, so their number
//! is bounded.

use std::{sync::OnceLock, time::Duration};

use axum::response::IntoResponse;
use hyper::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

use crate::graphql::Code;

/// Upper bounds of the buckets of every duration, in seconds: from one look-up to the time limit.
const BUCKETS_S: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// How often samples are moved into their buckets between scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The measurements of the process.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts recording; later calls return the same recorder. If the process has installed
    /// another recorder before, that one stays and nothing is rendered here.
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED.get_or_init(Self::new).clone()
    }

    fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&BUCKETS_S)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: /metrics stays empty");
        }
        metrics::describe_counter!(
            "entourage_http_requests_total",
            "Requests, by route and status."
        );
        metrics::describe_counter!(
            "entourage_operations_total",
            "GraphQL operations, by the code of their first error; OK without one."
        );
        metrics::describe_counter!(
            "entourage_persisted_documents_total",
            "Requests without a text: with the id of a trusted or registered document, or unknown."
        );
        metrics::describe_gauge!(
            "entourage_sockets_open",
            "WebSockets and event streams that are open."
        );
        metrics::describe_counter!(
            "entourage_sockets_closed_total",
            "WebSockets that ended, by reason."
        );
        metrics::describe_gauge!("entourage_subscriptions_open", "Subscriptions that run.");
        metrics::describe_counter!(
            "entourage_events_delivered_total",
            "Events that were sent to subscribers."
        );
        metrics::describe_histogram!(
            "entourage_event_lag_seconds",
            metrics::Unit::Seconds,
            "Time from a change to its event."
        );
        metrics::describe_histogram!(
            "entourage_http_seconds",
            metrics::Unit::Seconds,
            "Time from a request's headers to its reply's, by route."
        );
        Self(handle)
    }

    /// The reply of `GET /metrics`.
    pub(super) fn render(&self) -> impl IntoResponse + use<> {
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        ([(CONTENT_TYPE, content_type)], self.0.render())
    }

    /// Bounds the memory of samples between scrapes. Never returns.
    pub async fn keep_up(&self) {
        let mut ticks = interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// Counts a finished request.
pub(super) fn count_request(route: &str, status: &str, took: Duration) {
    let labels = [("route", route.to_owned()), ("status", status.to_owned())];
    metrics::counter!("entourage_http_requests_total", &labels).increment(1);
    metrics::histogram!("entourage_http_seconds", &labels[..1]).record(took);
}

/// Counts an answered operation by the code of its first error.
pub(super) fn count_operation(error: Option<Code>) {
    let code = error.map_or("OK", Code::as_str);
    metrics::counter!("entourage_operations_total", "code" => code).increment(1);
}
