//! Paths and queries that connectors try to turn into other ones.

use percent_encoding::percent_decode_str;
use truc_egress::CallError;

use crate::site::{Act, Site, call, ok, pair, request};

/// Ways to name another path, another host or another request.
const SPELLINGS: &[&str] = &[
    "..",
    "../",
    "../../admin",
    "/../admin",
    "..\\admin",
    "%2e%2e",
    "%2e%2e/admin",
    "%2e%2e%2fadmin",
    "..%2fadmin",
    "..%5cadmin",
    "%252e%252e%252fadmin",
    "..;/admin",
    "..;x=1",
    ".",
    "%2e",
    "",
    "/",
    "//evil.example/",
    "http://evil.example/",
    "http://127.0.0.2/",
    "@evil.example",
    "evil.example:80",
    "\\\\evil.example",
    "x?admin=1",
    "x#y",
    "x&admin=1",
    "x HTTP/1.1\r\nhost: evil.example\r\n\r\nGET /admin",
    "x\r\n",
    "x\ny",
    "x\0",
    "．．／admin",
    "․․",
    "。。",
    "∕admin",
    "%c0%ae%c0%ae%c0%afadmin",
    "*",
    "{id}",
];

#[tokio::test]
async fn a_parameter_stays_in_its_segment() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /people/{id}/card"]);
    for spelling in SPELLINGS {
        let mut request = request("GET /people/{id}/card");
        request.parameters.push(pair("id", spelling));
        let before = site.requests().len();
        match call(&upstream, request).await {
            Ok(_) => {
                let received = site.requests().pop().unwrap();
                let segments: Vec<_> = received.target().split('/').collect();
                let ["", "people", segment, "card"] = segments[..] else { panic!("{}", received.head) };
                assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), *spelling);
                assert_eq!(received.field("host"), [site.address.to_string()]);
                assert!(received.line().ends_with(" HTTP/1.1") && received.line().split(' ').count() == 3);
            }
            Err(CallError::Denied(text)) => {
                assert!(text.contains("`id`") && !text.contains(['\r', '\n', '\0']), "{text}");
                assert_eq!(site.requests().len(), before);
            }
            Err(error) => panic!("{spelling:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_query_stays_a_query() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /people"]);
    for spelling in SPELLINGS {
        let mut request = request("GET /people");
        request.query = vec![pair("q", spelling), pair(spelling, "v")];
        call(&upstream, request).await.unwrap();
        let received = site.requests().pop().unwrap();
        let (path, query) = received.target().split_once('?').unwrap();
        let pairs: Vec<(String, String)> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| {
                let decode = |text| percent_decode_str(text).decode_utf8().unwrap().into_owned();
                (decode(name), decode(value))
            })
            .collect();
        assert_eq!(path, "/people");
        assert_eq!(pairs, [pair("q", spelling), pair(spelling, "v")]);
        assert_eq!(received.field("host"), [site.address.to_string()]);
    }
}

#[tokio::test]
async fn a_path_that_is_not_in_the_manifest_is_not_sent() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /people/{id}"]);
    for spelling in SPELLINGS {
        for path in
            [(*spelling).to_owned(), format!("/people/{spelling}"), format!("/people/{{id}}{spelling}")]
        {
            if path == "/people/{id}" {
                continue;
            }
            let mut request = request("GET /");
            request.path = path;
            request.parameters.push(pair("id", "1"));
            let result = call(&upstream, request).await;
            assert!(matches!(result, Err(CallError::Denied(_))), "{spelling:?}: {result:?}");
        }
    }
    assert_eq!(site.connections(), 0);
}
