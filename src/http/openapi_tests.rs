//! That `openapi.json` describes what there is: the routes for programs, and their parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::query;
use super::route::{Endpoint, ROUTES};
use crate::openapi;

fn description() -> Value {
    serde_json::from_str(&openapi::text()).unwrap()
}

/// Follows a reference, if the value is one.
fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value.get("$ref") else {
        return value;
    };
    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
    description
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference}"))
}

/// The parameters in the query of a method of a route that is for programs; `None` for the others.
fn parameters(endpoint: Endpoint, method: &str) -> Option<Vec<&'static str>> {
    Some(match (endpoint, method) {
        (Endpoint::Stream | Endpoint::Channels, "get") => query::FOLLOW.to_vec(),
        (Endpoint::Send | Endpoint::Channels, "post") => query::APPEND.to_vec(),
        (Endpoint::Send | Endpoint::Channels, "put") => [query::APPEND, query::UPLOAD].concat(),
        (Endpoint::ChannelList, _) => query::LIST.to_vec(),
        (Endpoint::Probe, "get") => query::PROBE.to_vec(),
        (
            Endpoint::Probe
            | Endpoint::Live
            | Endpoint::Ready
            | Endpoint::Metrics
            | Endpoint::OpenApi,
            _,
        ) => Vec::new(),
        _ => return None,
    })
}

/// Each route for programs is described, with its methods and the parameters of each, and no other.
#[test]
fn openapi_has_the_routes() {
    let description = description();
    let mut expected = BTreeMap::new();
    for route in ROUTES {
        for (method, ..) in route.methods {
            let method = method.as_str().to_lowercase();
            let path = match route.endpoint {
                Endpoint::Channels => "/c/{names}",
                _ => route.path,
            };
            if let Some(names) = parameters(route.endpoint, &method) {
                expected.insert((path.to_owned(), method), names);
            }
        }
    }
    let mut described = BTreeMap::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let all = operation["parameters"].as_array().unwrap().iter();
            let all = all.map(|parameter| resolved(&description, parameter));
            let in_query = all.filter(|parameter| parameter["in"] == "query");
            let names = in_query.map(|parameter| parameter["name"].as_str().unwrap());
            described.insert((path.clone(), method.clone()), names.collect::<Vec<_>>());
        }
    }
    assert_eq!(described, expected);
}

/// Each reference leads somewhere, and each component is referred to.
#[test]
fn openapi_references_lead_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").map(|_| value));
                fields.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let description = description();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = Vec::new();
    walk(&description, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in &found {
        resolved(&description, reference);
    }
    for kind in ["parameters", "responses", "schemas"] {
        for name in description["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("#/components/{kind}/{name}");
            assert!(
                found.iter().any(|value| value["$ref"] == *pointer),
                "{pointer}"
            );
        }
    }
}
