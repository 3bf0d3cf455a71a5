//! Password hashes of users who were imported, as Django, Rails, Laravel and werkzeug write them.
//!
//! They are verified as their application made them, and replaced at the next sign-in. Their sizes
//! are bounded, since each decides how much work a sign-in is.

use std::{num::NonZeroU32, ops::RangeInclusive};

use argon2::{Algorithm, Params, password_hash::phc::PasswordHash};
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
    pbkdf2,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// The most rounds of PBKDF2; Django has 1,200,000 in 2026.
const ROUNDS_MAX: u32 = 5_000_000;
/// The most bytes of memory; werkzeug takes 32 MiB, and Django 100 MiB.
const MEMORY_MAX: u64 = 128 << 20;
/// The number of bytes of a hash.
const OUTPUT: RangeInclusive<usize> = 16..=64;
/// The greatest cost of bcrypt; Rails and Laravel have 12.
const COST_MAX: u32 = 15;

/// The hash of a password as it is stored; `None` if it is of no kind that can be verified.
#[must_use]
pub fn stored_hash(hash: &str) -> Option<&str> {
    // Django puts the name of the library before the hash.
    let hash = hash.strip_prefix("argon2$").map_or(hash, |_| &hash["argon2".len()..]);
    (is_argon2(hash) || ImportedHash::parse(hash).is_some()).then_some(hash)
}

/// Whether a hash is one of Argon2, in PHC format.
fn is_argon2(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let is_bounded = Params::try_from(&hash).is_ok_and(|params| {
        u64::from(params.m_cost()) << 10 <= MEMORY_MAX && params.t_cost() <= 16
    });
    let is_known = Algorithm::try_from(hash.algorithm.as_str()).is_ok();
    is_known && is_bounded && hash.hash.is_some()
}

/// A hash of another application.
pub(super) enum ImportedHash<'h> {
    /// Of the password, or of its SHA-256 in hexadecimal digits.
    Bcrypt {
        hash: &'h str,
        of_digest: bool,
    },
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: &'h str,
        output: Vec<u8>,
    },
    Scrypt {
        params: scrypt::Params,
        salt: &'h str,
        output: Vec<u8>,
    },
}

impl<'h> ImportedHash<'h> {
    /// Reads a hash; `None` if it is of no known kind, or takes too much work.
    pub(super) fn parse(hash: &'h str) -> Option<Self> {
        let parts: Vec<_> = hash.split('$').collect();
        match parts[..] {
            ["", "2a" | "2b" | "2x" | "2y", cost, _] => Self::bcrypt(hash, cost, false),
            ["bcrypt", "", "2a" | "2b" | "2y", cost, _] => {
                Self::bcrypt(hash.strip_prefix("bcrypt$")?, cost, false)
            }
            ["bcrypt_sha256", "", "2a" | "2b" | "2y", cost, _] => {
                Self::bcrypt(hash.strip_prefix("bcrypt_sha256$")?, cost, true)
            }
            // Django: algorithm, rounds, salt, output.
            [name @ ("pbkdf2_sha256" | "pbkdf2_sha1"), rounds, salt, output] => {
                let name = name.strip_prefix("pbkdf2_")?;
                Self::pbkdf2(name, rounds, salt, BASE64.decode(output).ok()?)
            }
            ["scrypt", n, salt, r, p, output] => {
                Self::scrypt([n, r, p], salt, BASE64.decode(output).ok()?)
            }
            // werkzeug: algorithm with its sizes, salt, output.
            [method, salt, output] => match method.split(':').collect::<Vec<_>>()[..] {
                ["pbkdf2", name, rounds] => Self::pbkdf2(name, rounds, salt, bytes(output)?),
                ["scrypt", n, r, p] => Self::scrypt([n, r, p], salt, bytes(output)?),
                _ => None,
            },
            _ => None,
        }
    }

    fn bcrypt(hash: &'h str, cost: &str, of_digest: bool) -> Option<Self> {
        let is_bounded = cost.parse().is_ok_and(|cost: u32| cost <= COST_MAX);
        // Sixty characters, the last of which are base64 of its own alphabet.
        let is_whole = hash.len() == 60 && hash.is_ascii();
        (is_bounded && is_whole).then_some(Self::Bcrypt { hash, of_digest })
    }

    fn pbkdf2(name: &str, rounds: &str, salt: &'h str, output: Vec<u8>) -> Option<Self> {
        let algorithm = match name {
            "sha1" => pbkdf2::PBKDF2_HMAC_SHA1,
            "sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
            "sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return None,
        };
        let rounds =
            rounds.parse().ok().filter(|rounds: &NonZeroU32| rounds.get() <= ROUNDS_MAX)?;
        OUTPUT.contains(&output.len()).then_some(Self::Pbkdf2 { algorithm, rounds, salt, output })
    }

    fn scrypt([n, r, p]: [&str; 3], salt: &'h str, output: Vec<u8>) -> Option<Self> {
        let (n, r, p): (u64, u32, u32) = (n.parse().ok()?, r.parse().ok()?, p.parse().ok()?);
        let memory = n.checked_mul(128)?.checked_mul(r.into())?;
        let is_bounded = n.is_power_of_two() && memory <= MEMORY_MAX && p <= 16;
        let params = is_bounded.then(|| scrypt::Params::new(n.ilog2().try_into().ok()?, r, p).ok());
        let params = params??;
        OUTPUT.contains(&output.len()).then_some(Self::Scrypt { params, salt, output })
    }

    /// Whether a password matches.
    pub(super) fn matches(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt { hash, of_digest } => {
                let digest = || hexadecimal(digest(&SHA256, password.as_bytes()).as_ref());
                let digest = of_digest.then(digest);
                bcrypt::verify(digest.as_deref().unwrap_or(password), hash).unwrap_or(false)
            }
            Self::Pbkdf2 { algorithm, rounds, salt, output } => {
                let (salt, password) = (salt.as_bytes(), password.as_bytes());
                pbkdf2::verify(*algorithm, *rounds, salt, password, output).is_ok()
            }
            Self::Scrypt { params, salt, output } => {
                let mut found = vec![0; output.len()];
                let made = scrypt::scrypt(password.as_bytes(), salt.as_bytes(), params, &mut found);
                made.is_ok() && verify_slices_are_equal(&found, output).is_ok()
            }
        }
    }
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { pairs.map(byte).collect() } else { None }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of "correct horse" as the applications have made them: werkzeug 3.1, Django 5.2, and
    /// bcrypt as Rails has it. Their sizes are those of a test.
    const HASHES: [&str; 9] = [
        "scrypt:32768:8:1$diWw0nyjR8Wf33Z2$9df0d422f54fcbb3e76473d4d27d62b099a338f3ff227f610ea5df694\
         4ea3d72688bea0423753c2f1932de62ba91ff5026c6ade49aeaa966515816b4121e4fc2",
        "pbkdf2:sha256:1000000$LTDwbrch00SrtJdJ$9257df6e24707f20a82e2b9dfe641ceb17f9672246aafe10b9b\
         8701309de3ff8",
        "pbkdf2:sha1:1000$0iAh1OkY3kIAb6NO$3a8ccebbbf934e2133c94d46b59141d49f7182a3",
        "pbkdf2_sha256$1000000$5MMDzqpST9WYtUUDyBICSK$o/uR1WHhKzcO8stvK3bjIhwLlKFy3LaySi0hZldL4wo=",
        "pbkdf2_sha1$1000000$0q5I4FqSdp8eohJzaUI7kz$Df4OvwlzETYle6KAlC6hldG9n78=",
        "bcrypt_sha256$$2b$12$CtsUnvAmGAOBh0LwrsRODOMf3Df/rmZ9n814RI7Jx6sUNndOu82gy",
        "bcrypt$$2b$12$DdxkzzNMwNppA5lxniHXZ.dmbGjTZYxVWoRamhfZ2Lt2UQ8LJOMzG",
        "scrypt$16384$Z9o2XPEpfm4UeiHOzLfK1s$8$5$Wjn+gw6xpIWYy3pec/lAKt/XTRqMrQupK34nfgn3MFxx7vFBg+cs\
         x2NPkKH5mDVk4NeglGvqash9zq5DuJZ09A==",
        "$2a$04$yppZuU0NrHxbiZ3ZWq8C9eu3mSalPkrEAQCJHxRInsluTyNJPS2s.",
    ];

    #[test]
    fn django_names_the_library_before_a_hash_of_argon2() {
        let hash = "$argon2id$v=19$m=102400,t=2,p=8$ampGZzAyT3pCRnRsRk1PM0tXbHZndw$\
                    qLcVbHw09Wuu/JK9dHsveznUhsay/Hmefxsbl1qLiL8";
        assert_eq!(stored_hash(&format!("argon2{hash}")), Some(hash));
        assert_eq!(stored_hash(hash), Some(hash));
    }

    #[test]
    fn hashes_of_other_applications_are_verified() {
        for hash in HASHES {
            let parsed = ImportedHash::parse(hash).unwrap_or_else(|| panic!("unknown: {hash}"));
            assert!(parsed.matches("correct horse"), "{hash}");
            assert!(!parsed.matches("Correct horse"), "{hash}");
        }
    }

    #[test]
    fn what_is_no_hash_or_takes_too_much_work_is_refused() {
        for hash in [
            "",
            "correct horse",
            "$argon2id$v=19",
            "md5$salt$c4ca4238a0b923820dcc509a6f75849b",
            "$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$12$short",
            "pbkdf2_sha256$0$salt$AAAA",
            "pbkdf2_sha256$99999999$salt$AAAA",
            "pbkdf2:md5:1000$salt$00",
            "scrypt:1048576:8:16$salt$00",
            "scrypt:3:8:1$salt$00",
            "scrypt:32768:8:1$salt$0",
        ] {
            assert_eq!(stored_hash(hash), None, "{hash}");
        }
    }
}
