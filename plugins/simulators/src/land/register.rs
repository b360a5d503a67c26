//! The land register: parcels and certificates of the synthetic citizens.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::citizens::{Citizen, DRAWN_UP, Household, Population};
use crate::random::Random;
use crate::units::Ward;

const SEED: u64 = 0x6c61_6e64;

/// A piece of land. Owners are places in [`Population::citizens`].
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) ward: Ward,
    pub(crate) sheet: u64,
    pub(crate) number: u64,
    /// In tenths of a square metre.
    area: u64,
    use_code: &'static str,
    use_name: &'static str,
    address: String,
    pub(crate) owners: Vec<usize>,
    pub(crate) certificate: Option<Certificate>,
    /// 1 normal, 2 mortgaged, 3 in dispute.
    pub(crate) state: u8,
}

/// A certificate of land use rights.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) number: String,
    issued: Date,
    withdrawn: bool,
}

/// Where a parcel is: ward, map sheet, number.
type Place = (u32, u64, u64);

pub(crate) struct LandRegister {
    pub(crate) parcels: Vec<Parcel>,
    by_place: HashMap<Place, usize>,
    by_certificate: HashMap<String, usize>,
    by_owner: HashMap<usize, Vec<usize>>,
}

impl LandRegister {
    /// Most households own the ground they live on, some a second parcel. Married owners own together.
    pub(crate) fn draw_up(population: &Population) -> Self {
        let mut random = Random::new(SEED);
        let mut parcels = Vec::new();
        let mut taken = HashSet::new();
        for household in &population.households {
            let Some(head) = population.living(household).next() else { continue };
            if !random.chance(65) {
                continue;
            }
            parcels.push(parcel(population, household, head, parcels.len(), true, &mut random, &mut taken));
            if random.chance(20) {
                parcels.push(parcel(
                    population,
                    household,
                    head,
                    parcels.len(),
                    false,
                    &mut random,
                    &mut taken,
                ));
            }
        }
        let mut by_owner = HashMap::<_, Vec<_>>::new();
        for (index, parcel) in parcels.iter().enumerate() {
            for &owner in &parcel.owners {
                by_owner.entry(owner).or_default().push(index);
            }
        }
        let certificates = parcels.iter().enumerate();
        Self {
            by_place: parcels.iter().enumerate().map(|(index, parcel)| (parcel.place(), index)).collect(),
            by_certificate: certificates
                .filter_map(|(index, parcel)| Some((parcel.certificate.as_ref()?.number.clone(), index)))
                .collect(),
            by_owner,
            parcels,
        }
    }

    pub(crate) fn at(&self, ward: u32, sheet: u64, number: u64) -> Option<&Parcel> {
        self.by_place.get(&(ward, sheet, number)).and_then(|&index| self.parcels.get(index))
    }

    pub(crate) fn with_certificate(&self, number: &str) -> Option<&Parcel> {
        self.by_certificate.get(number).and_then(|&index| self.parcels.get(index))
    }

    pub(crate) fn of(&self, owner: &Citizen) -> impl Iterator<Item = &Parcel> {
        let owned = self.by_owner.get(&owner.index).map(Vec::as_slice).unwrap_or_default();
        owned.iter().filter_map(|&index| self.parcels.get(index))
    }
}

impl Parcel {
    fn place(&self) -> Place {
        (self.ward.number(), self.sheet, self.number)
    }

    /// Square metres.
    fn area(&self) -> f64 {
        self.area as f64 / 10.0
    }

    /// In the system's shape.
    pub(crate) fn shown(&self, population: &Population) -> Value {
        json!({
            "XaId": self.ward.number(),
            "TinhId": self.ward.province.number(),
            "SoHieuBanDo": self.sheet.to_string(),
            "SoThuTuThua": self.number.to_string(),
            "DienTich": self.area(),
            "LoaiDat": [{"Ma": self.use_code, "Ten": self.use_name, "DienTich": self.area()}],
            "DiaChiChiTiet": self.address,
            "ChuSuDung": self.owners_shown(population),
            "SoPhatHanhGCN": self.certificate.as_ref().map(|certificate| &certificate.number),
            "TinhTrang": self.state,
        })
    }

    /// Its certificate in the system's shape.
    pub(crate) fn certificate_shown(&self, population: &Population) -> Option<Value> {
        let certificate = self.certificate.as_ref()?;
        let entry = certificate.number.trim_start_matches(|char: char| !char.is_ascii_digit());
        Some(json!({
            "SoPhatHanh": certificate.number,
            "SoVaoSo": format!("CS{entry}"),
            "NgayCap": format!("{}T00:00:00", certificate.issued),
            "CoQuanCap": format!("Văn phòng đăng ký đất đai {}", self.ward.province.name),
            "TrangThai": if certificate.withdrawn { 2 } else { 1 },
            "ChuSuDung": self.owners_shown(population),
            "ThuaDat": [{
                "XaId": self.ward.number(),
                "SoHieuBanDo": self.sheet.to_string(),
                "SoThuTuThua": self.number.to_string(),
                "DienTich": self.area(),
            }],
        }))
    }

    fn owners_shown(&self, population: &Population) -> Vec<Value> {
        let owners = self.owners.iter().filter_map(|&owner| population.get(owner));
        let shown = owners.map(|owner| {
            json!({
                "HoTen": owner.name,
                "SoDinhDanh": owner.id,
                "NamSinh": owner.born.year(),
                "DiaChi": population.address(owner),
            })
        });
        shown.collect()
    }
}

fn parcel(
    population: &Population,
    household: &Household,
    head: &Citizen,
    index: usize,
    home: bool,
    random: &mut Random,
    taken: &mut HashSet<Place>,
) -> Parcel {
    let ward = household.ward;
    let (use_code, use_name, area) = match (home, ward.urban) {
        (true, true) => ("ODT", "Đất ở tại đô thị", 400 + random.below(2_000)),
        (true, false) => ("ONT", "Đất ở tại nông thôn", 1_000 + random.below(8_000)),
        (false, _) if random.chance(50) => ("CLN", "Đất trồng cây lâu năm", 5_000 + random.below(50_000)),
        (false, _) => ("LUC", "Đất chuyên trồng lúa", 3_000 + random.below(30_000)),
    };
    let sheet = 1 + random.below(60);
    let mut number = 1 + random.below(900);
    while !taken.insert((ward.number(), sheet, number)) {
        number += 1;
    }
    let spouse = head.spouse.filter(|&spouse| population.get(spouse).is_some_and(Citizen::alive));
    let issued = Date::new(random.between(2010, DRAWN_UP.year() - 1), 1, 1).unwrap_or(DRAWN_UP);
    let certificate = random.chance(90).then(|| Certificate {
        number: format!("AA{:08}", index + 1),
        issued,
        withdrawn: index % 50 == 9,
    });
    Parcel {
        ward,
        sheet,
        number,
        area,
        use_code,
        use_name,
        address: if home { household.address.clone() } else { ward.full_name() },
        owners: [Some(head.index), spouse].into_iter().flatten().collect(),
        certificate,
        state: match index % 20 {
            7 => 2,
            13 => 3,
            _ => 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Units;

    #[test]
    fn owners_live_where_they_own_and_places_differ() {
        let population = Population::generate(&Units::read());
        let register = LandRegister::draw_up(&population);
        assert!(register.parcels.len() > 1_500, "{}", register.parcels.len());
        assert_eq!(register.by_place.len(), register.parcels.len());
        for parcel in &register.parcels {
            for &owner in &parcel.owners {
                let owner = &population.citizens[owner];
                assert!(owner.alive());
                assert_eq!(population.ward(owner), parcel.ward);
                assert!(register.of(owner).any(|owned| owned.place() == parcel.place()));
            }
        }
        let again = LandRegister::draw_up(&population);
        assert_eq!(format!("{:?}", register.parcels), format!("{:?}", again.parcels));
    }
}
