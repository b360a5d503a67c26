//! The last word on compatibility: wit-component's check whether one world can stand in for another.

use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::{Change, ChangeKind, Effect};
use crate::read::{ContractError, resolve_sources};
use crate::sources::ContractText;

/// What wit-component has to say against the new text; nothing where a connector of it could stand in for one of the
/// old.
pub(super) fn complaint(old: &ContractText, new: &ContractText) -> Result<Option<Change>, ContractError> {
    let (mut resolve, old_package) = resolve_sources(old.files())?;
    let (newer, new_package) = resolve_sources(new.files())?;
    let item = newer.packages.get(new_package).map(|package| package.name.to_string()).unwrap_or_default();
    let complaint = |reason: String| {
        Some(Change { item: item.clone(), kind: ChangeKind::Changed, effect: Effect::Breaking, text: reason })
    };
    // Two texts of the same version would meet under one name.
    if let Some(package) = resolve.packages.get_mut(old_package) {
        resolve.package_names.shift_remove(&package.name);
        package.name.version = None;
        resolve.package_names.insert(package.name.clone(), old_package);
    }
    let world_of = |resolve: &Resolve, package| {
        resolve.packages.get(package).and_then(|package| package.worlds.get("connector").copied())
    };
    let (Some(old_world), Some(new_world)) = (world_of(&resolve, old_package), world_of(&newer, new_package))
    else {
        return Ok(None);
    };
    let new_world = match resolve.merge(newer) {
        Ok(remap) => remap.worlds.get(new_world.index()).copied().flatten(),
        Err(error) => {
            let reason = format!("a package that both texts bring differs: {}", root(&error));
            return Ok(complaint(reason));
        }
    };
    let Some(new_world) = new_world else { return Ok(None) };
    grant_imports(&mut resolve, old_world, new_world);
    // The check asks whether a component of its first world can be used where one of its second is expected. A
    // contract promises exports, so the new world comes first: all that the old one exports must still be there.
    match wit_component::semver_check(resolve, new_world, old_world) {
        Ok(()) => Ok(None),
        Err(error) => Ok(complaint(format!(
            "a connector of the new text cannot stand in for one of the old: {}",
            root(&error)
        ))),
    }
}

/// What connectors may import is the platform's affair, not a promise to agencies: the old world gets what the new one
/// imports from other packages.
fn grant_imports(resolve: &mut Resolve, old: WorldId, new: WorldId) {
    let package = resolve.worlds.get(new).and_then(|world| world.package);
    let imports: Vec<(WorldKey, WorldItem)> = resolve
        .worlds
        .get(new)
        .iter()
        .flat_map(|world| &world.imports)
        .filter(|(_, item)| match item {
            WorldItem::Interface { id, .. } => {
                resolve.interfaces.get(*id).is_some_and(|interface| interface.package != package)
            }
            _ => false,
        })
        .map(|(key, item)| (key.clone(), item.clone()))
        .collect();
    if let Some(world) = resolve.worlds.get_mut(old) {
        for (key, item) in imports {
            world.imports.entry(key).or_insert(item);
        }
    }
}

/// The innermost reason, in one line and in words: the validator tells the way to it line by line.
pub(crate) fn root(error: &anyhow::Error) -> String {
    let reason = error.root_cause().to_string();
    let reason = reason.split_once(" (at offset").map_or(&*reason, |(reason, _)| reason);
    let lines = reason.lines().map(str::trim).filter(|line| !line.starts_with("type mismatch for import"));
    let words: Vec<String> = lines
        .map(|line| {
            let place = line.strip_prefix("type mismatch for export ");
            let missing = line.strip_prefix("missing expected export ");
            match (place, missing) {
                (Some(place), _) => format!("in {place}"),
                (_, Some(item)) => format!("{item} is not there"),
                _ => line.to_owned(),
            }
        })
        .collect();
    words.join(", ")
}
