//! What operators watch: the alerts, as promtool reads them, and the dashboard. Both are of metrics that
//! there are.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::helpers::programs::{command, output};
use crate::support::client::{append, get};
use crate::support::{TestServer, directory};

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/package/monitoring");

/// The names of this program's metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let begins = text.match_indices("forever_frame_");
    let name = |(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    };
    begins.map(name).collect()
}

/// The expressions of all panels.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    expressions.collect()
}

/// promtool takes the alerts and the expressions of the dashboard, and the server has each metric that
/// they name.
#[tokio::test]
async fn alerts_and_dashboard_are_sound() {
    let server = TestServer::start();
    append(server.addr, "a", "x").await;
    let metrics = get(server.addr, "/metrics").await.text().await;
    let there = metrics_in(&metrics);
    let alerts = format!("{DIR}/alerts.yml");
    let checked = output(command("promtool", &["check", "rules", &alerts])).await;
    assert!(checked.contains("5 rules found"), "{checked}");
    let dashboard = fs::read_to_string(format!("{DIR}/dashboard.json")).unwrap();
    let alerts = fs::read_to_string(alerts).unwrap();
    for text in [&alerts, &dashboard] {
        let named = metrics_in(text);
        assert!(named.len() > 4, "{named:?}");
        let missing: Vec<_> = named.difference(&there).collect();
        assert!(missing.is_empty(), "the server does not have {missing:?}");
    }
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let rules: Vec<String> = expressions(&dashboard)
        .iter()
        .enumerate()
        .map(|(n, expression)| {
            // Grafana replaces it.
            let expression = expression.replace("$__rate_interval", "1m");
            format!("  - record: a{n}\n    expr: {}\n", Value::from(expression))
        })
        .collect();
    let dir = directory();
    let file = dir.path().join("rules.yml");
    fs::write(
        &file,
        format!("groups:\n- name: a\n  rules:\n{}", rules.concat()),
    )
    .unwrap();
    let args = ["check", "rules", file.to_str().unwrap()];
    output(command("promtool", &args)).await;
    server.stop().await;
}

/// Each alert tells of what it is for, and of nothing while all is well.
#[tokio::test]
async fn alerts_fire() {
    output(command(
        "promtool",
        &[
            "test",
            "rules",
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/tools/monitoring/alerts.test.yml"
            ),
        ],
    ))
    .await;
}
