//! The XML of a dossier: one flat list of elements.

use truc_sdk::Problem;
use truc_sdk::types::Fault;

/// `<hotich><hoso>` being filled.
pub(crate) struct Fields {
    xml: String,
    faults: Vec<Fault>,
    pointer: fn(&str) -> Option<String>,
}

impl Fields {
    /// No fields yet. `pointer` says where a field comes from in the agency's request.
    pub(crate) fn new(pointer: fn(&str) -> Option<String>) -> Self {
        Self { xml: "<hotich><hoso>".to_owned(), faults: Vec::new(), pointer }
    }

    /// Adds the element `{prefix}{name}`. An empty value is no element.
    pub(crate) fn put(&mut self, prefix: &str, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let open = format!("<{prefix}{name}>");
        self.xml.push_str(&open);
        for character in value.chars() {
            match character {
                '&' => self.xml.push_str("&amp;"),
                '<' => self.xml.push_str("&lt;"),
                '>' => self.xml.push_str("&gt;"),
                // XML reads a line's end as one line feed, however it was written.
                '\r' => {}
                '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                    self.xml.push(character)
                }
                // XML 1.0 has no way to write the other control characters.
                _ => {
                    let detail =
                        format!("the register cannot take the character U+{:04X}", u32::from(character));
                    self.fault(prefix, name, detail);
                    break;
                }
            }
        }
        self.xml.push_str("</");
        self.xml.push_str(open.trim_start_matches('<'));
    }

    /// Adds the element, if there is a value.
    pub(crate) fn put_some(&mut self, prefix: &str, name: &str, value: Option<&str>) {
        self.put(prefix, name, value.unwrap_or_default());
    }

    /// Adds the element, or notes that the value cannot be sent.
    pub(crate) fn put_or_fault(&mut self, prefix: &str, name: &str, value: Option<String>, fault: &str) {
        match value {
            Some(value) => self.put(prefix, name, &value),
            None => self.fault(prefix, name, fault.to_owned()),
        }
    }

    fn fault(&mut self, prefix: &str, name: &str, detail: String) {
        let pointer = (self.pointer)(&format!("{prefix}{name}")).unwrap_or_default();
        self.faults.push(Fault { pointer, detail });
    }

    /// The whole text, or all faults.
    pub(crate) fn finish(mut self) -> Result<String, Problem> {
        if !self.faults.is_empty() {
            return Err(Problem::Invalid(self.faults));
        }
        self.xml.push_str("</hoso></hotich>");
        Ok(self.xml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let mut fields = Fields::new(|_| None);
        fields.put("nks", "HoTen", "A & B <c>\"d\"'e'\r\n");
        fields.put("", "ghiChu", "]]>");
        fields.put("", "noiDangKy", "");
        assert_eq!(
            fields.finish().unwrap(),
            "<hotich><hoso><nksHoTen>A &amp; B &lt;c&gt;\"d\"'e'\n</nksHoTen><ghiChu>]]&gt;</ghiChu></hoso></hotich>"
        );
    }

    #[test]
    fn a_character_that_xml_has_not_is_a_fault() {
        let mut fields = Fields::new(|field| Some(format!("/{field}")));
        fields.put("", "ghiChu", "a\u{8}b");
        fields.put_or_fault("", "soLuongBanSao", None, "too many");
        let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
        assert_eq!(
            fields.finish(),
            Err(Problem::Invalid(vec![
                fault("/ghiChu", "the register cannot take the character U+0008"),
                fault("/soLuongBanSao", "too many"),
            ]))
        );
    }
}
