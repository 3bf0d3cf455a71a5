//! Lists of users whom one account follows, as social networks export them: the CSV of Mastodon, the
//! archive of X, or one name a line.

use std::io::{self, BufRead, Read};

use serde::Deserialize;

/// The most bytes of the archive of X, which is held in memory: some 500,000 follows.
const ARCHIVE_BYTES_MAX: u64 = 64 << 20;
/// How such a file begins.
const ARCHIVE_START: &[u8] = b"window.YTD.";
/// The names of the first column in a file that has a header: that of Mastodon, and our own.
const HEADERS: [&str; 2] = ["Account address", "username"];

/// A column that Mastodon writes for muted users only.
const MUTES_ONLY: &str = "Hide notifications";

/// Whether the first line of a file is a header.
pub(super) fn has_header(head: &[u8]) -> bool {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let first = line.split(|byte| matches!(byte, b',' | b';' | b'\t')).next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let first = first.trim().trim_matches('"');
    HEADERS.into_iter().any(|header| header.eq_ignore_ascii_case(first))
}

/// Whether the first line of a file is the header of Mastodon's list of muted users.
pub(super) fn is_of_muted_users(head: &[u8]) -> bool {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    has_header(head) && String::from_utf8_lossy(line).contains(MUTES_ONLY)
}

/// Whether a file is `following.js` of an archive of X.
pub(super) fn is_archive(head: &[u8]) -> bool {
    head.starts_with(ARCHIVE_START)
}

/// An entry of `following.js`.
#[derive(Deserialize)]
struct Entry {
    following: Followed,
}

#[derive(Deserialize)]
struct Followed {
    #[serde(rename = "accountId")]
    account_id: String,
}

/// The ids in `following.js`, one a line. The text is never evaluated: what follows the first `=` has to
/// be one JSON array.
///
/// # Errors
/// If the file cannot be read; the inner one says why it is no such list.
pub(super) fn ids_of_archive(archive: &mut dyn BufRead) -> io::Result<Result<Vec<u8>, String>> {
    let mut text = Vec::new();
    archive.take(ARCHIVE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > ARCHIVE_BYTES_MAX {
        return Ok(Err(format!("it is longer than {ARCHIVE_BYTES_MAX} bytes")));
    }
    let Some(start) = text.iter().position(|byte| *byte == b'=') else {
        return Ok(Err("it has no `=`".to_owned()));
    };
    let entries: Vec<Entry> = match serde_json::from_slice(&text[start + 1..]) {
        Ok(entries) => entries,
        Err(error) => {
            return Ok(Err(format!(
                "what follows the first `=` is not one JSON array of entries such as \
                 {{\"following\": {{\"accountId\": \"12\"}}}}: {error}"
            )));
        }
    };
    let mut ids = Vec::new();
    for Entry { following: Followed { account_id } } in entries {
        if account_id.is_empty() || !account_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Err(format!("{account_id:?} is not an id")));
        }
        ids.extend(account_id.into_bytes());
        ids.push(b'\n');
    }
    Ok(Ok(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Result<String, String> {
        let ids = ids_of_archive(&mut text.as_bytes()).expect("it is read");
        ids.map(|ids| String::from_utf8(ids).expect("digits"))
    }

    #[test]
    fn ids_are_read_from_an_archive() {
        let text = "window.YTD.following.part0 = [\n  {\n    \"following\" : {\n      \
                    \"accountId\" : \"12\",\n      \"userLink\" : \"https://x.example/i?a=b\"\n    }\n  \
                    },\n {\"following\":{\"accountId\":\"7\"}}\n]\n";
        assert_eq!(ids(text).as_deref(), Ok("12\n7\n"));
        assert_eq!(ids("window.YTD.following.part0 = []").as_deref(), Ok(""));
    }

    #[test]
    fn an_archive_is_never_evaluated() {
        for text in [
            "window.YTD.following.part0",
            "window.YTD.following.part0 = ",
            "window.YTD.following.part0 = []; alert(1)",
            "window.YTD.following.part0 = [] []",
            "window.YTD.following.part0 = [{\"follower\":{\"accountId\":\"1\"}}]",
            "window.YTD.following.part0 = [{\"following\":{\"accountId\":1}}]",
            "window.YTD.following.part0 = [{\"following\":{\"accountId\":\"1\\n2\"}}]",
            "window.YTD.following.part0 = [{\"following\":{\"accountId\":\"\"}}]",
            "window.YTD.following.part0 = [{\"following\":{\"accountId\":\"1\"}}",
        ] {
            assert!(ids(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_of_lists_are_recognized() {
        for head in [
            "Account address,Show boosts,Notify on new posts,Languages\n",
            "Account address\r\n",
            "\"account address\";x",
            "username\nann\n",
        ] {
            assert!(has_header(head.as_bytes()), "{head}");
        }
        for head in ["ann@example.com,true,false,\n", "", "\n", "Account addresses\n", "a,username"]
        {
            assert!(!has_header(head.as_bytes()), "{head}");
        }
    }
}
