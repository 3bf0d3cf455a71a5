//! Signatures as Standard Webhooks 1.0.0 has them: HMAC-SHA256 with secrets that the receiver has.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use thiserror::Error;

const PREFIX: &str = "whsec_";
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;
/// The new secret, and the old one while receivers still have it.
const SECRETS_MAX: usize = 2;

/// Why a text is not the secrets of a webhook. No message repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookSecretError {
    /// There is no secret in it.
    #[error("it is empty: generate a secret with `echo whsec_$(openssl rand -base64 32)`")]
    Empty,
    /// There are too many.
    #[error("it has more than two lines: one for the secret, and one for the old secret")]
    TooMany,
    /// A line is not a secret.
    #[error("line {0} is not `whsec_` and the base64 of 24 to 64 bytes")]
    Invalid(usize),
}

/// The secrets that sign messages, the current one first. Redacted in `Debug`.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<Key>);

impl WebhookSecrets {
    /// Parses one secret a line. With two lines each message has two signatures, so that the receiver
    /// can change its secret at any time.
    ///
    /// # Errors
    /// If the text is not one or two secrets.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let lines: Vec<_> = text.trim_end().lines().collect();
        match lines.len() {
            0 => return Err(WebhookSecretError::Empty),
            1..=SECRETS_MAX => {}
            _ => return Err(WebhookSecretError::TooMany),
        }
        let keys = lines
            .iter()
            .zip(1..)
            .map(|(line, number)| secret(line.trim()).ok_or(WebhookSecretError::Invalid(number)));
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The header `webhook-signature` of a message: a signature for each secret.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let content = format!("{id}.{timestamp}.{body}");
        let signature = |key| format!("v1,{}", BASE64.encode(sign(key, content.as_bytes())));
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

fn secret(line: &str) -> Option<Key> {
    let bytes = BASE64.decode(line.strip_prefix(PREFIX)?).ok()?;
    let fits = (BYTES_MIN..=BYTES_MAX).contains(&bytes.len());
    fits.then(|| Key::new(HMAC_SHA256, &bytes))
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secrets = WebhookSecrets::parse(SECRET).expect("a secret");
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn two_secrets_are_two_signatures() {
        let other = format!("whsec_{}", BASE64.encode([7; 64]));
        let one = WebhookSecrets::parse(SECRET).expect("a secret").sign("a", 1, "b");
        let two = WebhookSecrets::parse(&other).expect("a secret").sign("a", 1, "b");
        let both = WebhookSecrets::parse(&format!("{SECRET}\n{other}\n")).expect("two secrets");
        assert_eq!(both.sign("a", 1, "b"), format!("{one} {two}"));
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let refusal = |text: &str| WebhookSecrets::parse(text).expect_err("it is refused");
        let of = |bytes: &[u8]| format!("whsec_{}", BASE64.encode(bytes));
        assert_eq!(refusal("\n"), WebhookSecretError::Empty);
        assert_eq!(refusal(&[SECRET; 3].join("\n")), WebhookSecretError::TooMany);
        assert_eq!(refusal(&SECRET[6..]), WebhookSecretError::Invalid(1));
        assert_eq!(refusal(&format!("{SECRET}\nhunter2")), WebhookSecretError::Invalid(2));
        assert_eq!(refusal(&of(&[7; 23])), WebhookSecretError::Invalid(1));
        assert_eq!(refusal(&of(&[7; 65])), WebhookSecretError::Invalid(1));
        for length in [24, 64] {
            assert!(WebhookSecrets::parse(&of(&vec![7; length])).is_ok(), "{length}");
        }
        let secrets = WebhookSecrets::parse(SECRET).expect("a secret");
        assert_eq!(format!("{secrets:?}"), "1 secrets");
    }
}
