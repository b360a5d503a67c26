//! Style, script and icon. Their names carry a digest of their content, so that browsers may keep them for good.

use std::sync::LazyLock;

use bytes::Bytes;
use truc_model::Digest;

/// One file.
pub(crate) struct Asset {
    /// `portal.1a2b3c4d5e6f7081.css`
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) content: Bytes,
}

impl Asset {
    fn new(extension: &str, media_type: &'static str, content: &'static str) -> Self {
        let digest: String = Digest::of(content.as_bytes()).hex().chars().take(16).collect();
        let name = format!("portal.{digest}.{extension}");
        Self { name, media_type, content: Bytes::from_static(content.as_bytes()) }
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> String {
        format!("/docs/assets/{}", self.name)
    }
}

pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("../assets/portal.css")));

pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("../assets/portal.js")));

pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("../assets/icon.svg")));

/// The asset of a name.
pub(crate) fn named(name: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name)
}
