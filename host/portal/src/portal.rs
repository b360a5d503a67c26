//! Requests for pages. A page is made when it is first asked for and kept as long as there is room; a page of a service
//! depends on its name, its connector and the language alone, so new settings need no new page.

use std::sync::Arc;

use http::header::ACCEPT_LANGUAGE;
use http::{Method, Request, StatusCode};
use moka::sync::Cache;
use tokio::sync::Mutex;
use truc_fleet::{Revision, Snapshot};
use truc_gateway::{PageFuture, Pages};
use truc_model::{Digest, ServiceName};

use crate::answer::{self, Answer, Page};
use crate::assets;
use crate::index::{Entry, index};
use crate::language::Language;
use crate::page;
use crate::reference::reference;

/// Bytes of all pages that are kept.
const KEPT: u64 = 64 << 20;

/// The pages of a host.
pub struct Portal {
    pages: Cache<Key, Arc<Page>>,
    /// Held while a page is made: one at a time, whatever is asked for.
    making: Arc<Mutex<()>>,
}

/// What a page depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The list of services, by a digest of what it shows.
    Index(Digest, Language),
    Reference(ServiceName, Digest, Language),
    Missing(Language),
}

impl Default for Portal {
    fn default() -> Self {
        Self::new()
    }
}

impl Portal {
    /// A portal that has made no page yet.
    pub fn new() -> Self {
        let weigh = |_: &Key, page: &Arc<Page>| u32::try_from(page.size()).unwrap_or(u32::MAX);
        Self {
            pages: Cache::builder().max_capacity(KEPT).weigher(weigh).build(),
            making: Arc::new(Mutex::new(())),
        }
    }

    async fn serve(&self, snapshot: &Snapshot, request: &Request<()>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::other_method();
        }
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::of(request.uri().query(), accepted);
        let (status, page) = match Asked::for_path(request.uri().path(), snapshot) {
            Asked::Asset(asset) => return answer::asset(asset),
            Asked::Index => (StatusCode::OK, self.index(snapshot, language).await),
            Asked::Reference(revision) => (StatusCode::OK, self.reference(revision, language).await),
            Asked::Missing => (StatusCode::NOT_FOUND, self.missing(language).await),
        };
        match page {
            Some(page) => page.answer(status, request.headers()),
            None => answer::failure(),
        }
    }

    async fn index(&self, snapshot: &Snapshot, language: Language) -> Option<Arc<Page>> {
        let mut revisions: Vec<Arc<Revision>> = snapshot.revisions().cloned().collect();
        revisions.sort_by(|a, b| a.environment.service.cmp(&b.environment.service));
        let shown: Vec<Digest> = revisions
            .iter()
            .flat_map(|it| [Digest::of(it.environment.service.as_str().as_bytes()), it.connector()])
            .collect();
        let shown: Vec<&[u8]> = shown.iter().map(|digest| digest.as_bytes().as_slice()).collect();
        self.page(Key::Index(Digest::of_parts(&shown), language), language, move || {
            let entries: Vec<Entry<'_>> = revisions
                .iter()
                .map(|it| Entry { service: &it.environment.service, contract: it.program.contract() })
                .collect();
            index(&entries, language)
        })
        .await
    }

    async fn reference(&self, revision: &Arc<Revision>, language: Language) -> Option<Arc<Page>> {
        let service = revision.environment.service.clone();
        let revision = revision.clone();
        self.page(Key::Reference(service, revision.connector(), language), language, move || {
            reference(revision.program.contract(), &revision.environment.service, language)
        })
        .await
    }

    async fn missing(&self, language: Language) -> Option<Arc<Page>> {
        self.page(Key::Missing(language), language, move || page::missing(language)).await
    }

    /// The page of a key: the one that is kept, or a new one, made on a thread for blocking work.
    async fn page(
        &self,
        key: Key,
        language: Language,
        make: impl FnOnce() -> String + Send + 'static,
    ) -> Option<Arc<Page>> {
        if let Some(page) = self.pages.get(&key) {
            return Some(page);
        }
        let turn = self.making.clone().lock_owned().await;
        // Whoever had the turn before may have made it.
        if let Some(page) = self.pages.get(&key) {
            return Some(page);
        }
        let pages = self.pages.clone();
        let made = tokio::task::spawn_blocking(move || {
            let page = Arc::new(Page::new(language, make()));
            pages.insert(key, page.clone());
            // Kept before the next one looks, even if the reader has left.
            drop(turn);
            page
        });
        made.await.inspect_err(|error| tracing::error!(%error, "a page could not be made")).ok()
    }
}

impl Pages for Portal {
    fn answer<'a>(&'a self, snapshot: Arc<Snapshot>, request: Request<()>) -> PageFuture<'a> {
        Box::pin(async move { self.serve(&snapshot, &request).await })
    }
}

/// What a path asks for.
enum Asked<'s> {
    Index,
    Reference(&'s Arc<Revision>),
    Asset(&'static assets::Asset),
    Missing,
}

impl<'s> Asked<'s> {
    fn for_path(path: &str, snapshot: &'s Snapshot) -> Self {
        let below = path.strip_prefix("/docs").unwrap_or_default();
        let below = below.strip_suffix('/').unwrap_or(below);
        let mut segments = below.split('/').skip(1);
        let (first, second, more) = (segments.next(), segments.next(), segments.next());
        let found = match (first, second, more) {
            (None, ..) => Some(Asked::Index),
            (Some("assets"), Some(name), None) if let Some(asset) = assets::named(name) => {
                Some(Asked::Asset(asset))
            }
            (Some(service), None, None) => {
                let name = service.parse::<ServiceName>().ok();
                name.and_then(|name| snapshot.revision(&name)).map(Asked::Reference)
            }
            (Some(service), Some(version), None) => {
                let major = version.strip_prefix('v').and_then(|digits| digits.parse().ok());
                major.and_then(|major| snapshot.service(service, major)).map(Asked::Reference)
            }
            _ => None,
        };
        found.unwrap_or(Asked::Missing)
    }
}
