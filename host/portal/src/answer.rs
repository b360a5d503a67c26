//! Answers: pages, assets and refusals, with the headers each has.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use truc_model::Digest;

use crate::assets::Asset;
use crate::language::Language;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What a page may do: show itself, and call the host it came from.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A page, made once and answered with often.
pub(crate) struct Page {
    language: Language,
    content: Bytes,
    /// A strong entity tag.
    tag: String,
}

impl Page {
    pub(crate) fn new(language: Language, html: String) -> Self {
        let tag = format!("\"{}\"", Digest::of(html.as_bytes()).hex());
        Self { language, content: Bytes::from(html), tag }
    }

    /// How many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        self.content.len()
    }

    /// The answer with this page; empty where the reader has it already.
    pub(crate) fn answer(&self, status: StatusCode, request: &HeaderMap) -> Answer {
        let mut answer = match status == StatusCode::OK && knows(request, &self.tag) {
            true => with_status(StatusCode::NOT_MODIFIED, Bytes::new()),
            false => with_status(status, self.content.clone()),
        };
        set(&mut answer, CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut answer, CONTENT_LANGUAGE, self.language.tag());
        set(&mut answer, CONTENT_SECURITY_POLICY, POLICY);
        set(&mut answer, CACHE_CONTROL, "no-cache");
        set(&mut answer, VARY, "accept-language");
        if status == StatusCode::OK {
            set(&mut answer, ETAG, &self.tag);
        }
        guarded(answer)
    }
}

/// The answer with an asset.
pub(crate) fn asset(asset: &Asset) -> Answer {
    let mut answer = with_status(StatusCode::OK, asset.content.clone());
    set(&mut answer, CONTENT_TYPE, asset.media_type);
    set(&mut answer, CACHE_CONTROL, "public, max-age=31536000, immutable");
    // The icon is an image that a reader could open by itself.
    set(&mut answer, CONTENT_SECURITY_POLICY, "default-src 'none'");
    guarded(answer)
}

/// The refusal of a method.
pub(crate) fn other_method() -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Pages are read with GET or HEAD.\n");
    set(&mut answer, ALLOW, "GET, HEAD");
    answer
}

/// What is said when a page could not be made.
pub(crate) fn failure() -> Answer {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "The page could not be made.\n")
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = with_status(status, Bytes::from_static(text.as_bytes()));
    set(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
    set(&mut answer, CACHE_CONTROL, "no-store");
    guarded(answer)
}

fn with_status(status: StatusCode, content: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(content));
    *answer.status_mut() = status;
    answer
}

fn guarded(mut answer: Answer) -> Answer {
    set(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut answer, REFERRER_POLICY, "no-referrer");
    answer
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Whether a reader says that it has what a tag stands for (RFC 9110, section 13.1.2).
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let lists = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = lists.flat_map(|list| list.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
