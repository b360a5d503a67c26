//! What stands at a place of a text that cannot be parsed: package, interface and item, as far as they can be made out.

use super::text::piece;

/// The item around a place, named as in every other refusal: `lgsp:land/parcels@1.0.0#parcel.area`, or less where
/// less is known. `place` is `file:line:column`.
pub(super) fn item_at(sources: &[(String, String)], place: &str) -> Option<String> {
    let mut parts = place.rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse::<usize>().ok()?);
    let file = parts.next()?;
    let (_, text) = sources.iter().find(|(name, _)| name == file)?;
    let mut scan = Scan::default();
    scan.read(up_to(text, line, column));
    let package = scan.package.clone().or_else(|| {
        sources.iter().find_map(|(_, text)| {
            let mut scan = Scan::default();
            scan.read(text);
            scan.package
        })
    })?;
    let Some(container) = scan.container else { return Some(format!("package {package}")) };
    let (name, version) = package.split_once('@').map_or((&*package, None), |(n, v)| (n, Some(v)));
    let version = version.map(|version| format!("@{version}")).unwrap_or_default();
    let item = scan.item.map(|item| format!("#{item}")).unwrap_or_default();
    let field = scan.field.map(|field| format!(".{field}")).unwrap_or_default();
    Some(format!("{name}/{container}{version}{item}{field}"))
}

/// The text before a place, and the word that stands there.
fn up_to(text: &str, line: usize, column: usize) -> &str {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let place = (start + column.saturating_sub(1)).min(text.len());
    let rest = text.get(place..).unwrap_or_default();
    let word = rest.find(|char: char| !is_word(char)).unwrap_or(rest.len());
    text.get(..place + word).unwrap_or(text)
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-%".contains(char)
}

/// A reading that only follows names and brackets.
#[derive(Default)]
struct Scan {
    package: Option<String>,
    /// The interface or world.
    container: Option<String>,
    item: Option<String>,
    field: Option<String>,
    depth: usize,
    /// How many `(` and `<` are open.
    brackets: usize,
    /// The word before, if nothing else stands between.
    before: String,
}

impl Scan {
    fn read(&mut self, text: &str) {
        let mut rest = text;
        let mut word = String::new();
        while let Some(piece) = piece(rest) {
            rest = rest.strip_prefix(piece).unwrap_or_default();
            match piece.chars().next() {
                // A package's name has more than words in it.
                Some(char) if self.before == "package" && word.is_empty() && !char.is_whitespace() => {
                    let end = rest.find([';', '{', ' ', '\n']).unwrap_or(rest.len());
                    let (name, after) = rest.split_at(end);
                    self.package.get_or_insert(format!("{piece}{name}"));
                    self.before.clear();
                    rest = after;
                }
                Some(char) if is_word(char) && piece.len() == 1 => word.push(char),
                Some(char) => {
                    self.word(&mut word);
                    if piece.len() == char.len_utf8() {
                        self.sign(char);
                    }
                }
                None => {}
            }
        }
        self.word(&mut word);
    }

    fn word(&mut self, word: &mut String) {
        if word.is_empty() {
            return;
        }
        let word = std::mem::take(word);
        let keyword = self.before.as_str();
        match (keyword, self.depth) {
            ("interface" | "world", 0) => self.container = Some(word.clone()),
            ("record" | "variant" | "enum" | "flags" | "type" | "resource", 1) => {
                self.item = Some(word.clone());
            }
            _ => {}
        }
        self.before = word;
    }

    fn sign(&mut self, sign: char) {
        match sign {
            '{' => self.depth += 1,
            '}' => {
                self.depth = self.depth.saturating_sub(1);
                self.field = None;
                self.item = None;
                if self.depth == 0 {
                    self.container = None;
                }
            }
            '(' | '<' => self.brackets += 1,
            ')' | '>' => self.brackets = self.brackets.saturating_sub(1),
            ':' if self.brackets == 0 && self.depth == 1 => self.item = Some(self.before.clone()),
            ':' if self.brackets == 0 && self.depth == 2 => self.field = Some(self.before.clone()),
            ';' if self.depth == 1 => self.item = None,
            ',' if self.brackets == 0 => self.field = None,
            _ => {}
        }
        if !sign.is_whitespace() {
            self.before.clear();
        }
    }
}
