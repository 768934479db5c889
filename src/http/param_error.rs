//! What is wrong with a parameter of a request.

/// The value of a parameter cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value:?} {why}")]
pub(super) struct ParamError {
    name: &'static str,
    value: String,
    why: String,
}

impl ParamError {
    /// `why` completes a sentence that begins with the parameter and its value.
    pub(super) fn new(name: &'static str, value: &str, why: impl Into<String>) -> ParamError {
        ParamError {
            name,
            value: value.to_owned(),
            why: why.into(),
        }
    }
}
