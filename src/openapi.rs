//! What programs may ask the server for, as `OpenAPI` 3.2 describes it. `http/openapi_tests.rs` holds it to
//! the tables of routes and parameters.

/// The description, in which the version is missing.
const TEXT: &str = include_str!("openapi.json");

/// Returns the description, with the version of this program.
#[must_use]
pub fn text() -> String {
    TEXT.replacen(
        "\"VERSION\"",
        concat!("\"", env!("CARGO_PKG_VERSION"), "\""),
        1,
    )
}
