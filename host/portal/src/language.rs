//! The language of a page: what the address says, else what the browser prefers, else Vietnamese.

use crate::words::{ENGLISH, VIETNAMESE, Words};

/// A language in which pages are written. The contract's own text stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Tiếng Việt.
    Vietnamese,
    /// English.
    English,
}

impl Language {
    /// Every language, in the order of the switch.
    pub const ALL: [Language; 2] = [Language::Vietnamese, Language::English];

    /// The tag (BCP 47), as in `lang` attributes and `?lang=`.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::Vietnamese => "vi",
            Language::English => "en",
        }
    }

    /// Its name in itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Language::Vietnamese => "Tiếng Việt",
            Language::English => "English",
        }
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Language::Vietnamese => &VIETNAMESE,
            Language::English => &ENGLISH,
        }
    }

    /// The language for a request, by its query and its `Accept-Language` (RFC 9110, section 12.5.4).
    pub fn of(query: Option<&str>, accepted: Option<&str>) -> Self {
        let asked = query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("lang="));
        asked
            .filter_map(Self::tagged)
            .next_back()
            .or_else(|| accepted.and_then(preferred))
            .unwrap_or(Self::Vietnamese)
    }

    /// The language of a tag or one of its subtags: `en-GB` is English.
    fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}

/// The language with the greatest weight; of equals the first.
fn preferred(accepted: &str) -> Option<Language> {
    let mut best: Option<(Language, f32)> = None;
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(language) = parts.next().and_then(Language::tagged) else { continue };
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
        let Some(weight) = weight.filter(|weight: &f32| *weight > 0.0) else { continue };
        if best.is_none_or(|(_, most)| weight > most) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_goes_before_the_browser_and_vietnamese_is_the_rest() {
        use Language::{English, Vietnamese};
        for (query, accepted, expected) in [
            (None, None, Vietnamese),
            (Some("lang=en"), None, English),
            (Some("lang=en"), Some("vi"), English),
            (Some("a=b&lang=vi"), Some("en"), Vietnamese),
            (Some("lang=fr"), Some("en"), English),
            (Some("lang=<script>"), None, Vietnamese),
            (None, Some("en-GB,en;q=0.9"), English),
            (None, Some("fr, vi;q=0.5, en;q=0.8"), English),
            (None, Some("vi, en"), Vietnamese),
            (None, Some("en;q=0, *"), Vietnamese),
            (None, Some("en;q=NaN"), Vietnamese),
            (None, Some(";;,,q="), Vietnamese),
        ] {
            assert_eq!(Language::of(query, accepted), expected, "{query:?} {accepted:?}");
        }
    }
}
