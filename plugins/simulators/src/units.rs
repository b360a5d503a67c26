//! The administrative units in force since 1 July 2025: 34 provinces and their wards, with the codes of the General
//! Statistics Office.

use std::collections::BTreeMap;

const UNITS: &str = include_str!("../data/administrative-units-from-2025-07-01.csv");

/// A province or a city under central rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Province {
    /// Two digits.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
}

impl Province {
    pub(crate) fn number(self) -> u32 {
        self.code.parse().unwrap_or_default()
    }
}

/// A ward, commune or special zone, the unit right below a province.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ward {
    /// Five digits.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) urban: bool,
    pub(crate) province: Province,
    /// Its place among the wards of its province, from 1.
    pub(crate) ordinal: usize,
}

impl Ward {
    pub(crate) fn number(self) -> u32 {
        self.code.parse().unwrap_or_default()
    }

    /// The name with the province's.
    pub(crate) fn full_name(self) -> String {
        format!("{}, {}", self.name, self.province.name)
    }

    /// An identification code for the people's committee of this ward. The form is that of Decision
    /// 20/2020/QĐ-TTg, the numbers are made up.
    pub(crate) fn agency(self) -> String {
        format!("H{}.{}", self.province.code, self.ordinal)
    }
}

/// All units.
pub(crate) struct Units {
    pub(crate) provinces: Vec<Province>,
    pub(crate) wards: Vec<Ward>,
    of_province: BTreeMap<&'static str, Vec<Ward>>,
}

impl Units {
    pub(crate) fn read() -> Self {
        let rows = || UNITS.lines().map(|line| line.splitn(5, ',').collect::<Vec<_>>());
        let provinces: BTreeMap<_, _> = rows()
            .filter_map(|row| match *row.as_slice() {
                ["province", code, _, name, _] => Some((code, Province { code, name })),
                _ => None,
            })
            .collect();
        let mut of_province = BTreeMap::<_, Vec<Ward>>::new();
        let mut wards = Vec::new();
        for row in rows() {
            let ["ward", code, parent, name, kind] = *row.as_slice() else { continue };
            let Some(&province) = provinces.get(parent) else { continue };
            let siblings = of_province.entry(province.code).or_default();
            let ward = Ward { code, name, urban: kind == "phường", province, ordinal: siblings.len() + 1 };
            siblings.push(ward);
            wards.push(ward);
        }
        Self { provinces: provinces.into_values().collect(), wards, of_province }
    }

    pub(crate) fn province(&self, number: i64) -> Option<Province> {
        self.provinces.iter().copied().find(|province| i64::from(province.number()) == number)
    }

    pub(crate) fn ward(&self, number: i64) -> Option<Ward> {
        let code = format!("{number:05}");
        self.wards.iter().copied().find(|ward| ward.code == code)
    }

    pub(crate) fn wards_of(&self, province: Province) -> &[Ward] {
        self.of_province.get(province.code).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_units_are_read() {
        let units = Units::read();
        assert_eq!(units.provinces.len(), 34);
        assert_eq!(units.wards.len(), 3321);
        let ward = units.ward(22366).unwrap();
        assert_eq!(ward.full_name(), "Phường Nha Trang, Tỉnh Khánh Hòa");
        assert!(ward.urban);
        assert_eq!(units.ward(4).unwrap().name, "Phường Ba Đình");
        assert_eq!(units.ward(-4), None);
        assert_eq!(units.province(1).unwrap().name, "Thành phố Hà Nội");
        assert_eq!(units.provinces.iter().map(|&p| units.wards_of(p).len()).sum::<usize>(), 3321);
    }
}
