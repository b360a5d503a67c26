//! Where in a request the reading is, and what was found to be wrong there.

use std::borrow::Cow;

use truc_model::Fault;

use crate::settings::MAX_FAULTS;

/// A place in a request: a step inside another place. Places live on the stack of whoever reads, so that going a step
/// further costs nothing; a text is made of one only where there is a fault.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    outer: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Name(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The request as a whole.
    pub(super) const ROOT: Path<'static> = Path { outer: None, step: Step::Root };

    pub(super) fn name(&'p self, name: &'p str) -> Path<'p> {
        Path { outer: Some(self), step: Step::Name(name) }
    }

    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path { outer: Some(self), step: Step::Index(index) }
    }

    /// The place as a JSON Pointer (RFC 6901).
    fn pointer(&self) -> String {
        let mut pointer = self.outer.map(Path::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => pointer = pointer + "/" + &token(name),
            Step::Index(index) => pointer = format!("{pointer}/{index}"),
        }
        pointer
    }
}

/// A reference token of a JSON Pointer, shortened to 100 characters.
fn token(name: &str) -> Cow<'_, str> {
    let short = match name.char_indices().nth(100) {
        Some((end, _)) => name.get(..end).unwrap_or_default(),
        None => name,
    };
    if short.contains(['~', '/']) { short.replace('~', "~0").replace('/', "~1").into() } else { short.into() }
}

/// The faults of one request, up to [`MAX_FAULTS`].
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault. Its text is not made when nobody will read it.
    #[cold]
    pub(super) fn add<T: Into<String>>(&mut self, at: &Path<'_>, detail: impl FnOnce() -> T) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault { pointer: at.pointer(), detail: detail().into() });
        }
    }

    pub(super) fn into_list(self) -> Vec<Fault> {
        self.0
    }
}
