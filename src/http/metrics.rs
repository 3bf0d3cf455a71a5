//! Measurements of the process in Prometheus' text format.
//!
//! The recorder is the process's, so all servers of one process (in tests there are many) are
//! measured together. Labels come from our routes and codes only, never from a client: their
//! number is bounded.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{extract::State, response::IntoResponse};
use hyper::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

use crate::graphql::Code;

/// Upper ends of the buckets of every duration, in seconds: from one look-up to the time limit.
const BUCKETS_S: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// How often samples are put into their buckets when nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The measurements of the process.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Records from now on. Later calls give the same recorder. A process that has installed
    /// another recorder before keeps that one, and has nothing to render here.
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
        metrics::describe_histogram!(
            "entourage_http_seconds",
            metrics::Unit::Seconds,
            "Time from a request's headers to its reply's, by route."
        );
        Self(handle)
    }

    /// Bounds the memory of samples that nobody asks for. Never returns.
    pub async fn keep_up(&self) {
        let mut ticks = interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// Counts a request that is over.
pub(super) fn count_request(route: &str, status: &str, took: Duration) {
    let labels = [("route", route.to_owned()), ("status", status.to_owned())];
    metrics::counter!("entourage_http_requests_total", &labels).increment(1);
    metrics::histogram!("entourage_http_seconds", &labels[..1]).record(took);
}

/// Counts an operation that is answered, by the code of its first error.
pub(super) fn count_operation(error: Option<Code>) {
    let code = error.map_or("OK", Code::as_str);
    metrics::counter!("entourage_operations_total", "code" => code).increment(1);
}

/// `GET /metrics`.
pub(super) async fn render(State(state): State<Arc<super::State>>) -> impl IntoResponse {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], state.metrics.0.render())
}
