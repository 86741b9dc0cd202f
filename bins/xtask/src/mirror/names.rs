//! How many names a crate gives to those who use it.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Item, UseTree, Visibility};

use super::source;
use crate::Failure;

/// Counts what is `pub` in `lib.rs` and in the modules that are `pub` from there on: types, traits, functions, constants,
/// macros, modules, and each name of a `pub use`. Of a `pub use … ::*` it counts what is in a module beside it. Features do
/// not matter. Fields, methods and what macros make are not counted.
pub(super) fn count(root: &Path) -> Result<usize, Failure> {
    let file = syn::parse_file(&fs::read_to_string(root)?)?;
    of_module(&file.items, &source::folder_of(root))
}

fn of_module(items: &[Item], folder: &Path) -> Result<usize, Failure> {
    let mut count = 0;
    for item in items {
        count += match item {
            Item::Mod(module) if is_public(&module.vis) && !source::is_for_tests(&module.attrs) => {
                1 + inside(module, folder)?
            }
            Item::Use(imported) if is_public(&imported.vis) => {
                imported_names(&imported.tree, items, folder)?
            }
            Item::Macro(made) => usize::from(
                made.attrs
                    .iter()
                    .any(|one| one.path().is_ident("macro_export")),
            ),
            other => usize::from(visibility(other).is_some_and(is_public)),
        };
    }
    Ok(count)
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn visibility(item: &Item) -> Option<&Visibility> {
    Some(match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Union(item) => &item.vis,
        _ => return None,
    })
}

/// What a module has, which is written in place or in a file of its own.
fn inside(module: &syn::ItemMod, folder: &Path) -> Result<usize, Failure> {
    let below = folder.join(module.ident.to_string());
    if let Some((_, items)) = &module.content {
        return of_module(items, &below);
    }
    let candidates: [PathBuf; 2] = [below.with_extension("rs"), below.join("mod.rs")];
    let found = candidates.iter().find(|path| path.is_file());
    found.map_or(Ok(0), |path| count(path))
}

fn imported_names(tree: &UseTree, items: &[Item], folder: &Path) -> Result<usize, Failure> {
    match tree {
        UseTree::Name(_) | UseTree::Rename(_) => Ok(1),
        UseTree::Group(group) => {
            let names = group
                .items
                .iter()
                .map(|tree| imported_names(tree, items, folder));
            names.sum()
        }
        UseTree::Path(path) if matches!(*path.tree, UseTree::Glob(_)) => {
            let module = items.iter().find_map(|item| match item {
                Item::Mod(module) if module.ident == path.ident => Some(module),
                _ => None,
            });
            module.map_or(Ok(0), |module| inside(module, folder))
        }
        UseTree::Path(path) => imported_names(&path.tree, items, folder),
        UseTree::Glob(_) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_where_users_can_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lib.rs");
        let text = "mod hidden;\npub mod open;\npub use hidden::{A, deep::B as C};\npub use all::*;\nmod all { pub fn f() {} pub fn g() {} }\n\
            pub(crate) fn no() {}\npub const YES: u8 = 1;\nuse open::D;\n#[macro_export]\nmacro_rules! m { () => {} }\n";
        fs::write(&root, text).unwrap();
        fs::write(
            folder.path().join("hidden.rs"),
            "pub struct A;\npub struct Unseen;\n",
        )
        .unwrap();
        fs::write(
            folder.path().join("open.rs"),
            "pub struct D { pub field: u8 }\nimpl D { pub fn method() {} }\n",
        )
        .unwrap();
        // open, D; A, C; f, g; YES; m
        assert_eq!(count(&root).unwrap(), 8);
    }
}
