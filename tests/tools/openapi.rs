//! The description for programs, as the validator of others reads it.

use serde_json::Value;

use crate::helpers::programs::{MISSING, command, parsers};
use crate::support::TestServer;
use crate::support::client::get;
use crate::support::{directory, soon};

/// What the validator says of a description.
async fn validated(text: &str) -> Value {
    let dir = directory();
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, text).unwrap();
    let bin = "node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js";
    let validator = parsers().join(bin);
    let args = [validator.to_str().unwrap(), file.to_str().unwrap()];
    let said = soon(command("node", &args).output()).await.expect(MISSING);
    serde_json::from_slice(&said.stdout).unwrap()
}

/// What `/openapi.json` answers is a description by the specification, and one with a mistake is not.
#[tokio::test]
async fn openapi_description_is_valid() {
    let server = TestServer::start();
    let text = get(server.addr, "/openapi.json").await.text().await;
    assert_eq!(
        validated(&text).await["valid"],
        true,
        "{:#}",
        validated(&text).await
    );
    let mistaken = text.replacen("\"responses\"", "\"answers\"", 1);
    assert_ne!(mistaken, text);
    assert_eq!(validated(&mistaken).await["valid"], false);
    server.stop().await;
}
