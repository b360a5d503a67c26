//! Versions of contracts: which promise one another that nothing breaks, and which comes after which.

use std::fmt;

use semver::Version;

use crate::manifest::ContractId;

/// The versions of a contract that stay compatible with one another: those of one major version, and before 1.0.0 those
/// of one minor version (Semantic Versioning 2.0.0, as Cargo reads it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// `0.y`.
    Initial(u64),
    /// From 1 on.
    Major(u64),
}

impl Track {
    /// The track that a version belongs to.
    pub fn of(version: &Version) -> Self {
        match version.major {
            0 => Track::Initial(version.minor),
            major => Track::Major(major),
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Track::Initial(minor) => write!(f, "0.{minor}"),
            Track::Major(major) => write!(f, "{major}"),
        }
    }
}

impl ContractId {
    /// The track that its version belongs to.
    pub fn track(&self) -> Track {
        Track::of(&self.version)
    }
}

/// A version that does not come after what is published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{id} does not come after {newest}, the newest published version of {track}.x: give it a greater version, for \
     instance {next}"
)]
pub struct BackwardsError {
    /// The contract that was to be published.
    pub id: ContractId,
    /// The newest published version of its track.
    pub newest: Version,
    /// The track.
    pub track: Track,
    /// A version that would come after.
    pub next: Version,
}

/// The published version that a new one must be compatible with: the newest of its track that is no pre-release, as a
/// pre-release promises nothing. None where the new version begins a track.
///
/// # Errors
/// A version that is not greater than every published one of its track.
pub fn predecessor<'v>(
    id: &ContractId,
    published: impl Iterator<Item = &'v Version>,
) -> Result<Option<Version>, BackwardsError> {
    let of_track: Vec<&Version> =
        published.filter(|version| Track::of(version) == id.track() && **version != id.version).collect();
    let newest = of_track.iter().copied().max_by(|a, b| a.cmp_precedence(b));
    if let Some(newest) = newest.filter(|newest| id.version.cmp_precedence(newest).is_le()) {
        return Err(BackwardsError {
            id: id.clone(),
            newest: newest.clone(),
            track: id.track(),
            next: next_compatible(newest),
        });
    }
    Ok(of_track.into_iter().filter(|version| version.pre.is_empty()).max().cloned())
}

/// The next version for additions.
pub(crate) fn next_compatible(version: &Version) -> Version {
    match version.major {
        _ if !version.pre.is_empty() => Version::new(version.major, version.minor, version.patch),
        0 => Version::new(0, version.minor, version.patch + 1),
        major => Version::new(major, version.minor + 1, 0),
    }
}

/// The next version for texts that say the same in other words.
pub(crate) fn next_wording(version: &Version) -> Version {
    match version.pre.is_empty() {
        true => Version::new(version.major, version.minor, version.patch + 1),
        false => next_compatible(version),
    }
}

/// The next version that need not be compatible.
pub(crate) fn next_breaking(version: &Version) -> Version {
    match version.major {
        _ if !version.pre.is_empty() => next_compatible(version),
        0 => Version::new(0, version.minor + 1, 0),
        major => Version::new(major + 1, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn before(version: &str, published: &[&str]) -> Result<Option<String>, String> {
        let id: ContractId = format!("lgsp:land@{version}").parse().unwrap();
        predecessor(&id, versions(published).iter())
            .map(|version| version.map(|version| version.to_string()))
            .map_err(|error| error.newest.to_string())
    }

    #[test]
    fn a_new_version_comes_after_the_newest_of_its_track() {
        let some = |version: &str| Ok(Some(version.to_owned()));
        let backwards = |version: &str| Err(version.to_owned());
        let cases = [
            ("1.0.0", &[][..], Ok(None)),
            ("1.1.0", &["1.0.0"], some("1.0.0")),
            ("1.0.1", &["1.0.0", "1.1.0"], backwards("1.1.0")),
            ("1.1.0", &["1.1.0+build"], backwards("1.1.0+build")),
            ("2.0.0", &["1.0.0", "3.0.0"], Ok(None)),
            ("2.1.0", &["1.0.0", "2.0.0", "3.0.0"], some("2.0.0")),
            ("0.2.1", &["0.1.9", "0.2.0"], some("0.2.0")),
            ("0.3.0", &["0.2.0"], Ok(None)),
            ("0.2.0", &["0.2.1"], backwards("0.2.1")),
            // Pre-releases come before their release, and promise nothing.
            ("1.0.0", &["1.0.0-rc.1"], Ok(None)),
            ("1.0.0-rc.1", &["1.0.0"], backwards("1.0.0")),
            ("1.0.0-rc.2", &["1.0.0-rc.10"], backwards("1.0.0-rc.10")),
            ("1.1.0-rc.1", &["1.0.0"], some("1.0.0")),
            ("1.1.0", &["1.0.0", "1.1.0-rc.1"], some("1.0.0")),
        ];
        for (version, published, expected) in cases {
            assert_eq!(before(version, published), expected, "{version} after {published:?}");
        }
    }

    #[test]
    fn the_refusal_says_what_would_come_after() {
        let id: ContractId = "lgsp:land@1.0.1".parse().unwrap();
        let error = predecessor(&id, versions(&["1.1.0"]).iter()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "lgsp:land@1.0.1 does not come after 1.1.0, the newest published version of 1.x: give it a greater \
             version, for instance 1.2.0"
        );
    }

    #[test]
    fn each_kind_of_change_has_its_next_version() {
        let next = |text: &str| {
            let version: Version = text.parse().unwrap();
            [next_wording(&version), next_compatible(&version), next_breaking(&version)]
                .map(|version| version.to_string())
        };
        assert_eq!(next("1.2.3"), ["1.2.4", "1.3.0", "2.0.0"]);
        assert_eq!(next("0.2.3"), ["0.2.4", "0.2.4", "0.3.0"]);
        assert_eq!(next("2.0.0-rc.1"), ["2.0.0", "2.0.0", "2.0.0"]);
    }
}
