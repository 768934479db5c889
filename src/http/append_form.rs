//! A message that the form of a page has in it, for pages without scripts: `POST /c/CHANNEL?form=…`.

use super::error::Error;
use super::{Call, body, form, token_login};
use crate::limits;
use crate::wire::to_json;

/// Which of a form's fields are the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormKind {
    /// The field `msg`.
    Text,
    /// All of them, as a JSON object.
    Json,
}

/// What a form says. The field `next` is where the browser goes then, a path on this server.
pub(super) struct AppendForm {
    pub(super) text: Box<str>,
    pub(super) next: String,
}

const NEXT: &str = "next";

impl FormKind {
    /// Reads `form`.
    pub(super) fn read(text: &str) -> Result<FormKind, String> {
        match text {
            "1" => Ok(FormKind::Text),
            "json" => Ok(FormKind::Json),
            _ => {
                Err("is neither 1 (the field msg is the message) nor json (all fields are)".into())
            }
        }
    }
}

impl AppendForm {
    /// Reads the form that is the body of a request.
    pub(super) async fn read(call: &mut Call<'_>, kind: FormKind) -> Result<AppendForm, Error> {
        let max = call.app.max_message;
        let most = max * limits::FORM_ENCODING_FACTOR + limits::FORM_BYTES_MAX;
        let fields = body::fields(call, most).await?;
        call.check_right()?;
        let text = match kind {
            FormKind::Text => plain(form::field(&fields, "msg")?),
            FormKind::Json => object(&fields),
        };
        let next = form::last(&fields, NEXT).filter(|next| token_login::is_here(next));
        let next = next.unwrap_or(call.head.uri.path()).to_owned();
        Ok(AppendForm {
            text: body::message(text.into_bytes(), max)?,
            next,
        })
    }
}

/// A text as it was typed: browsers end the lines of a form with CRLF.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The fields as a JSON object, in their order.
fn object(fields: &[(String, String)]) -> String {
    let pairs = fields.iter().filter(|(name, _)| name != NEXT);
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}:{}", to_json(name), to_json(&plain(value))))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_form_is_an_object() {
        let fields = [("from", "A\"da"), ("next", "/events"), ("text", "a\r\nb")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(object(&fields), r#"{"from":"A\"da","text":"a\nb"}"#);
    }
}
