//! The content security policy of each file that a browser loads. `base-uri` is for the `<base>` of
//! the pages. `connect-src 'self'` allows WebSockets to this server too (CSP 3).

/// The example app: our own files only.
pub(super) const APP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; \
    frame-ancestors 'none'";

/// GraphiQL: its editor also writes styles into the page, loads an icon font and starts workers.
pub(super) const GRAPHIQL: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// Scripts. In a page a script's own policy has no effect, but a worker does not inherit its
/// page's policy: it obeys the one sent with its script. The policy for data would forbid the
/// imports of the editor's worker. This one allows importing our scripts and nothing else, not
/// even a connection.
pub(super) const SCRIPT: &str = "default-src 'none'; script-src 'self'; frame-ancestors 'none'";

/// `unbuilt.html`: its own inline style, identified by its hash.
pub(super) const UNBUILT: &str = "default-src 'none'; \
    style-src 'sha256-M4myzV9++wuE3Ge/Uw66kkI+8jVWbVLrQMgw9LwIwoI='; base-uri 'self'; \
    form-action 'none'; frame-ancestors 'none'";
