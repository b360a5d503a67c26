//! The synthetic register: 10,000 citizens in families, the same at every start.
//!
//! All five systems know people from here, so that a mother in a birth record, the head of an insurance household and
//! the owner of a parcel are the same person with the same number. Nobody here exists.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::names::{
    ETHNIC_GROUPS, FAMILY_NAMES, FEMALE_MIDDLE_NAMES, FEMALE_NAMES, MALE_MIDDLE_NAMES, MALE_NAMES, STREETS,
};
use crate::random::Random;
use crate::units::{Units, Ward};

/// How many citizens there are.
pub(crate) const CITIZENS: usize = 10_000;

/// The day on which the register was drawn up; nobody is born and nobody dies after it.
pub(crate) const DRAWN_UP: Date = Date::constant(2025, 6, 30);

const SEED: u64 = 0x7472_7563;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gender {
    Male,
    Female,
}

impl Gender {
    /// The code that civil status and insurance share.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Male => "1",
            Self::Female => "2",
        }
    }
}

/// One invented person. Relatives are places in [`Population::citizens`].
#[derive(Debug, Clone)]
pub(crate) struct Citizen {
    pub(crate) index: usize,
    /// Twelve digits (Decree 137/2015/NĐ-CP, article 13): place of birth registration, century and sex, year, number.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) gender: Gender,
    pub(crate) born: Date,
    /// Where the birth was registered.
    pub(crate) birth_ward: Ward,
    pub(crate) ethnic_group: &'static str,
    pub(crate) household: usize,
    pub(crate) father: Option<usize>,
    pub(crate) mother: Option<usize>,
    pub(crate) spouse: Option<usize>,
    pub(crate) married: Option<Date>,
    pub(crate) died: Option<Date>,
    /// The ten digits of the social insurance number.
    pub(crate) insurance: String,
}

impl Citizen {
    pub(crate) fn alive(&self) -> bool {
        self.died.is_none()
    }

    /// Full years at a date.
    pub(crate) fn age(&self, at: Date) -> i16 {
        let before_birthday = (at.month(), at.day()) < (self.born.month(), self.born.day());
        at.year() - self.born.year() - i16::from(before_birthday)
    }
}

/// People who live at one address.
#[derive(Debug, Clone)]
pub(crate) struct Household {
    /// Ten digits.
    pub(crate) number: String,
    pub(crate) ward: Ward,
    pub(crate) address: String,
    pub(crate) members: Vec<usize>,
}

/// Everybody.
pub(crate) struct Population {
    pub(crate) citizens: Vec<Citizen>,
    pub(crate) households: Vec<Household>,
    by_id: HashMap<String, usize>,
    by_insurance: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Population {
    /// Draws the register up. Takes some milliseconds.
    pub(crate) fn generate(units: &Units) -> Self {
        let mut registrar = Registrar {
            units,
            random: Random::new(SEED),
            citizens: Vec::with_capacity(CITIZENS),
            households: Vec::new(),
        };
        while registrar.citizens.len() < CITIZENS {
            registrar.settle_household();
        }
        let Registrar { citizens, households, .. } = registrar;
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for citizen in &citizens {
            by_name.entry(comparable(&citizen.name)).or_default().push(citizen.index);
        }
        Self {
            by_id: citizens.iter().map(|citizen| (citizen.id.clone(), citizen.index)).collect(),
            by_insurance: citizens.iter().map(|citizen| (citizen.insurance.clone(), citizen.index)).collect(),
            by_name,
            citizens,
            households,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Citizen> {
        self.citizens.get(index)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Citizen> {
        self.by_id.get(id).and_then(|&index| self.get(index))
    }

    pub(crate) fn by_insurance(&self, number: &str) -> Option<&Citizen> {
        self.by_insurance.get(number).and_then(|&index| self.get(index))
    }

    /// Everybody of this name, whatever the case and the number of blanks.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Citizen> {
        let found = self.by_name.get(&comparable(name)).map(Vec::as_slice).unwrap_or_default();
        found.iter().filter_map(|&index| self.get(index))
    }

    pub(crate) fn household(&self, citizen: &Citizen) -> Option<&Household> {
        self.households.get(citizen.household)
    }

    /// The ward in which a citizen lives.
    pub(crate) fn ward(&self, citizen: &Citizen) -> Ward {
        self.household(citizen).map(|household| household.ward).unwrap_or_default()
    }

    pub(crate) fn address(&self, citizen: &Citizen) -> &str {
        self.household(citizen).map(|household| household.address.as_str()).unwrap_or_default()
    }

    /// The members of a household who live, the head first.
    pub(crate) fn living<'a>(&'a self, household: &'a Household) -> impl Iterator<Item = &'a Citizen> {
        household.members.iter().filter_map(|&index| self.get(index)).filter(|citizen| citizen.alive())
    }
}

/// A name as it is compared: lower case, single blanks.
pub(crate) fn comparable(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Who a household begins with.
struct Newcomer {
    family: &'static str,
    gender: Gender,
    born: Date,
    birth_ward: Ward,
    ethnic_group: &'static str,
    father: Option<usize>,
    mother: Option<usize>,
}

struct Registrar<'a> {
    units: &'a Units,
    random: Random,
    citizens: Vec<Citizen>,
    households: Vec<Household>,
}

impl Registrar<'_> {
    /// Couples with children, some with a grandparent, and people who live alone. The last few places of the register
    /// go to people who live alone, so that no family is torn.
    fn settle_household(&mut self) {
        let ward = self.random.pick(&self.units.wards);
        let address = self.address(ward);
        let number = format!("{}{:08}", ward.province.code, self.households.len() + 1);
        self.households.push(Household { number, ward, address, members: Vec::new() });

        let year = self.random.between(1945, 2003);
        let ethnic_group = if self.random.chance(86) { "Kinh" } else { self.random.pick(ETHNIC_GROUPS) };
        let alone = self.random.chance(15) || CITIZENS - self.citizens.len() < LARGEST_FAMILY;
        let gender = match alone && self.random.chance(50) {
            true => Gender::Female,
            false => Gender::Male,
        };
        let head = self.adult(year, gender, ethnic_group, ward);
        if !alone {
            self.found_family(head, year, ethnic_group, ward);
        }
        self.let_some_die(head);
    }

    fn found_family(&mut self, head: usize, year: i16, ethnic_group: &'static str, ward: Ward) {
        let wife_year = (year + self.random.between(-3, 5)).min(2004);
        let wedding = (year + 22).max(wife_year + 20) + self.random.between(0, 5);
        let family = self.family_name(head);
        if wedding < DRAWN_UP.year() {
            let wife = self.adult(wife_year, Gender::Female, ethnic_group, ward);
            let on = self.day_of(wedding);
            self.marry(head, wife, on);
            let mut birth = wedding + self.random.between(1, 3);
            for _ in 0..self.random.below(4) {
                if birth > DRAWN_UP.year() || birth - wife_year > 44 {
                    break;
                }
                self.add(|random| Newcomer {
                    family,
                    gender: if random.chance(51) { Gender::Male } else { Gender::Female },
                    born: day_of(random, birth),
                    birth_ward: ward,
                    ethnic_group,
                    father: Some(head),
                    mother: Some(wife),
                });
                birth += self.random.between(2, 5);
            }
        }
        if self.random.chance(12) {
            let elder_year = year - self.random.between(22, 34);
            let gender = if self.random.chance(40) { Gender::Male } else { Gender::Female };
            let elder = self.adult(elder_year, gender, ethnic_group, ward);
            if gender == Gender::Male {
                self.rename(elder, family);
            }
            if let Some(head) = self.citizens.get_mut(head) {
                match gender {
                    Gender::Male => head.father = Some(elder),
                    Gender::Female => head.mother = Some(elder),
                }
            }
        }
    }

    /// Somebody whose parents are not in the register. Most were born in the province they live in.
    fn adult(&mut self, year: i16, gender: Gender, ethnic_group: &'static str, home: Ward) -> usize {
        let near = self.random.chance(70);
        let places = if near { self.units.wards_of(home.province) } else { &self.units.wards };
        let birth_ward = self.random.pick(places);
        self.add(|random| Newcomer {
            family: random.pick(FAMILY_NAMES),
            gender,
            born: day_of(random, year),
            birth_ward,
            ethnic_group,
            father: None,
            mother: None,
        })
    }

    /// Enters a person into the register and the household that was opened last.
    fn add(&mut self, newcomer: impl FnOnce(&mut Random) -> Newcomer) -> usize {
        let Newcomer { family, gender, born, birth_ward, ethnic_group, father, mother } =
            newcomer(&mut self.random);
        let index = self.citizens.len();
        let household = self.households.len().saturating_sub(1);
        let name = format!("{family} {}", self.given_name(gender));
        self.citizens.push(Citizen {
            index,
            id: citizen_id(birth_ward, gender, born, index),
            name,
            gender,
            born,
            birth_ward,
            ethnic_group,
            household,
            father,
            mother,
            spouse: None,
            married: None,
            died: None,
            insurance: format!("{}{:08}", birth_ward.province.code, index + 1),
        });
        if let Some(household) = self.households.last_mut() {
            household.members.push(index);
        }
        index
    }

    fn marry(&mut self, husband: usize, wife: usize, on: Date) {
        for (one, other) in [(husband, wife), (wife, husband)] {
            if let Some(citizen) = self.citizens.get_mut(one) {
                citizen.spouse = Some(other);
                citizen.married = Some(on);
            }
        }
    }

    /// The older, the likelier; nobody dies before 60, so children are always born before.
    fn let_some_die(&mut self, first: usize) {
        for index in first..self.citizens.len() {
            let Some(citizen) = self.citizens.get(index) else { continue };
            let (born, age) = (citizen.born.year(), citizen.age(DRAWN_UP));
            let risk = u64::try_from((age - 60) * 2).unwrap_or(0).min(60);
            if self.random.chance(risk) {
                let year = self.random.between(born + 60, DRAWN_UP.year() - 1);
                let died = self.day_of(year);
                if let Some(citizen) = self.citizens.get_mut(index) {
                    citizen.died = Some(died);
                }
            }
        }
    }

    fn rename(&mut self, index: usize, family: &str) {
        if let Some(citizen) = self.citizens.get_mut(index)
            && let Some((_, given)) = citizen.name.split_once(' ')
        {
            citizen.name = format!("{family} {given}");
        }
    }

    fn family_name(&self, index: usize) -> &'static str {
        let name = self.citizens.get(index).map(|citizen| citizen.name.as_str()).unwrap_or_default();
        let family = name.split(' ').next().unwrap_or_default();
        FAMILY_NAMES.iter().copied().find(|known| *known == family).unwrap_or_default()
    }

    fn given_name(&mut self, gender: Gender) -> String {
        let (middle, given) = match gender {
            Gender::Male => (MALE_MIDDLE_NAMES, MALE_NAMES),
            Gender::Female => (FEMALE_MIDDLE_NAMES, FEMALE_NAMES),
        };
        format!("{} {}", self.random.pick(middle), self.random.pick(given))
    }

    fn address(&mut self, ward: Ward) -> String {
        let number = self.random.between(1, 299);
        let place = match ward.urban {
            true => format!("Số {number}, đường {}", self.random.pick(STREETS)),
            false => format!("Nhà số {number}, thôn {}", self.random.between(1, 12)),
        };
        format!("{place}, {}", ward.full_name())
    }

    fn day_of(&mut self, year: i16) -> Date {
        day_of(&mut self.random, year)
    }
}

/// A day of the year, in the last one not after the register was drawn up.
fn day_of(random: &mut Random, year: i16) -> Date {
    let days = if year == DRAWN_UP.year() { 181 } else { 365 };
    let first = Date::new(year, 1, 1).unwrap_or(DRAWN_UP);
    first.saturating_add(i64::try_from(random.below(days)).unwrap_or(0).days())
}

/// The last six digits walk through the numbers below 900,000 without meeting one twice (7,919 shares no factor with
/// it). Those above are left for children that are registered later.
fn citizen_id(birth_ward: Ward, gender: Gender, born: Date, index: usize) -> String {
    let century = (born.year() / 100 - 19) * 2 + i16::from(gender == Gender::Female);
    let number = (index * 7_919 + 104_729) % 900_000;
    format!("0{}{century}{:02}{number:06}", birth_ward.province.code, born.year() % 100)
}

/// Head, wife, three children, a grandparent.
const LARGEST_FAMILY: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn population() -> Population {
        Population::generate(&Units::read())
    }

    #[test]
    fn ten_thousand_valid_and_distinct_numbers() {
        let population = population();
        assert_eq!(population.citizens.len(), CITIZENS);
        let ids: HashSet<_> = population.citizens.iter().map(|citizen| &citizen.id).collect();
        assert_eq!(ids.len(), CITIZENS);
        for citizen in &population.citizens {
            let id = &citizen.id;
            assert_eq!(id.len(), 12, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
            assert!((1..=96).contains(&id[..3].parse::<u32>().unwrap()), "{id}");
            let (century, sex) = match &id[3..4] {
                "0" => (1900, Gender::Male),
                "1" => (1900, Gender::Female),
                "2" => (2000, Gender::Male),
                "3" => (2000, Gender::Female),
                other => panic!("century and sex {other}"),
            };
            assert_eq!(sex, citizen.gender);
            assert_eq!(century + id[4..6].parse::<i16>().unwrap(), citizen.born.year());
            assert!(citizen.born <= DRAWN_UP);
        }
    }

    #[test]
    fn the_register_is_the_same_at_every_start() {
        let (one, other) = (population(), population());
        assert_eq!(format!("{:?}", one.citizens), format!("{:?}", other.citizens));
        assert_eq!(format!("{:?}", one.households), format!("{:?}", other.households));
    }

    #[test]
    fn families_agree() {
        let population = population();
        let mut children = 0;
        for citizen in &population.citizens {
            assert!(population.households[citizen.household].members.contains(&citizen.index));
            if let Some(spouse) = citizen.spouse {
                let spouse = &population.citizens[spouse];
                assert_eq!(spouse.spouse, Some(citizen.index));
                assert_eq!(spouse.married, citizen.married);
                assert!(citizen.age(citizen.married.unwrap()) >= 18);
            }
            for parent in [citizen.father, citizen.mother].into_iter().flatten() {
                let parent = &population.citizens[parent];
                assert!(parent.age(citizen.born) >= 18, "{parent:?} {citizen:?}");
                assert!(parent.died.is_none_or(|died| died > citizen.born));
            }
            if let Some(father) = citizen.father {
                let family = |name: &str| name.split(' ').next().unwrap().to_owned();
                assert_eq!(family(&population.citizens[father].name), family(&citizen.name));
                assert_eq!(population.citizens[father].gender, Gender::Male);
            }
            if let Some(died) = citizen.died {
                assert!(died <= DRAWN_UP && citizen.age(died) >= 59);
            }
            children += usize::from(citizen.mother.is_some() && citizen.father.is_some());
        }
        assert!(children > 2_000, "{children}");
        assert!(population.citizens.iter().filter(|citizen| !citizen.alive()).count() > 200);
    }

    #[test]
    fn names_are_compared_without_case_and_blanks() {
        let population = population();
        let first = &population.citizens[0];
        let shouted = format!("  {}  ", first.name.to_uppercase().replace(' ', "  "));
        assert!(population.named(&shouted).any(|citizen| citizen.id == first.id));
        assert_eq!(population.named("Không Ai Cả").count(), 0);
    }
}
