//! The documentation pages as a host serves them: addresses, languages, headers, refusals, and that none of it is on
//! record.

use rustix::process::Signal;

use crate::host::{Host, Installation, Reply};
use crate::serving::with_trial;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

fn ask(host: &Host, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = host.request(method, path, headers);
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
    reply
}

#[test]
fn pages_are_served_without_a_key_and_without_a_record() {
    let host = Installation::new().serve();
    let empty = ask(&host, "GET", "/docs", &[("accept-language", "en")]);
    assert_eq!(empty.status, 200);
    assert!(empty.body.contains("No service is open yet."), "{}", empty.body);
    with_trial(&host);

    let list = ask(&host, "GET", "/docs", &[]);
    assert_eq!((list.status, list.header("content-language")), (200, Some("vi")));
    assert!(list.body.contains("href=\"/docs/trial?lang=vi\""), "{}", list.body);
    assert_ne!(list.header("etag"), empty.header("etag"));

    for path in ["/docs/trial", "/docs/trial/", "/docs/trial/v1", "/docs/trial?lang=vi"] {
        let page = ask(&host, "GET", path, &[]);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("content-language"), Some("vi"));
        assert_eq!(page.header("content-security-policy"), Some(POLICY));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert_eq!(page.header("vary"), Some("accept-language"));
        assert!(page.body.contains("<html lang=\"vi\">") && page.body.contains("values/echo"), "{path}");
    }

    let page = ask(&host, "GET", "/docs/trial?lang=en", &[]);
    assert_eq!(page.header("content-language"), Some("en"));
    let tag = page.header("etag").unwrap();
    for known in [tag, &format!("\"other\", W/{tag}"), "*"] {
        let again = ask(&host, "GET", "/docs/trial?lang=en", &[("if-none-match", known)]);
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", Some(tag)),
            "{known}"
        );
        assert_eq!(again.header("content-security-policy"), Some(POLICY));
    }
    let other = ask(&host, "GET", "/docs/trial?lang=vi", &[("if-none-match", tag)]);
    assert_eq!(other.status, 200);
    let head = ask(&host, "HEAD", "/docs/trial?lang=en", &[]);
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", Some(tag)));
    assert_eq!(head.header("content-length"), Some(page.body.len().to_string().as_str()));

    for path in
        ["/docs/land", "/docs/trial/v2", "/docs/trial/v1/x", "/docs/assets/portal.css", "/docs/%3Cscript%3E"]
    {
        let missing = ask(&host, "GET", path, &[("accept-language", "en")]);
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.body.contains("<h1>There is no such page</h1>"), "{path}");
        assert_eq!(missing.header("content-security-policy"), Some(POLICY));
        assert_eq!(missing.header("etag"), None);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let refused = ask(&host, method, "/docs/trial", &[]);
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    // What only begins like the pages is none.
    assert_eq!(host.request("GET", "/docsx", &[]).status, 401);

    let recorded = host.truc(&["exchanges", "--json"]).json();
    assert_eq!(recorded["exchanges"].as_array().unwrap().len(), 1, "{recorded}");
    host.stop(Signal::TERM);
}

#[test]
fn a_page_asks_for_its_own_files_only_and_they_may_be_kept() {
    let host = Installation::new().serve();
    with_trial(&host);
    let page = ask(&host, "GET", "/docs/trial", &[]).body;
    let mut files = 0;
    for address in
        page.split(" src=\"").chain(page.split(" href=\"")).skip(1).filter_map(|rest| rest.split('"').next())
    {
        let own =
            ["/docs", "/api/trial/v1/openapi.json", "#", "?lang="].iter().any(|own| address.starts_with(own));
        assert!(own || address.starts_with("<!DOCTYPE"), "{address}");
        if address.starts_with("/docs/assets/") {
            let file = ask(&host, "GET", address, &[]);
            assert_eq!(file.status, 200, "{address}");
            assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert!(
                ["text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml"]
                    .contains(&file.header("content-type").unwrap())
            );
            // Addresses that a file names would be asked for as well; that of SVG itself is a name only.
            assert!(!file.body.replace("http://www.w3.org/2000/svg", "").contains("//www"), "{address}");
            let reaches_out =
                [" url(", ":url(", "@import", "import("].iter().any(|it| file.body.contains(it));
            assert!(!reaches_out, "{address}");
            files += 1;
        }
    }
    assert_eq!(files, 3);
    host.stop(Signal::TERM);
}

#[test]
fn a_service_s_page_follows_what_is_served() {
    let host = Installation::new().serve();
    with_trial(&host);
    assert_eq!(ask(&host, "GET", "/docs/trial", &[]).status, 200);
    host.truc(&["service", "remove", "trial"]).text();
    assert_eq!(ask(&host, "GET", "/docs/trial", &[]).status, 404);
    assert!(!ask(&host, "GET", "/docs", &[]).body.contains("/docs/trial"));
    host.stop(Signal::TERM);
}
