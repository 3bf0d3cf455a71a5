//! The documents of the playground.

use std::{fs, path::Path};

use serde_json::json;

use super::data;
use crate::support::{app::TestApp, graph::draw};

#[tokio::test]
async fn every_document_of_the_playground_runs_as_it_is() {
    let app = TestApp::start().await;
    draw(&*app.store, "ada\nemily").await;
    let token = app.token("emily", None).await;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/documents");
    let mut seen = 0;
    for file in fs::read_dir(folder).expect("the folder is there") {
        let document = fs::read_to_string(file.expect("a file").path()).expect("text");
        let response = app.graphql(&document, json!({}), Some(&token)).await;
        assert!(data(&response).is_object(), "{document}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}
