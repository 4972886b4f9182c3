//! A crate depends only on crates above it in [`LAYERS`].

use std::fs;
use std::path::Path;

/// The crates from the ground up; the same list as in `docs/architecture.md`.
const LAYERS: [&str; 7] = [
    "bss2-event",
    "bss2-analog",
    "bss2-routing",
    "bss2-learn",
    "bss2-encode",
    "bss2",
    "xtask",
];

/// Pairs of a crate and one below it in the list that it still must not use:
/// the walls between neighbours.
const WALLS: [(&str, &str); 6] = [
    ("bss2-routing", "bss2-analog"),
    ("bss2-learn", "bss2-analog"),
    ("bss2-learn", "bss2-routing"),
    ("bss2-encode", "bss2-analog"),
    ("bss2-encode", "bss2-routing"),
    ("bss2-encode", "bss2-learn"),
];

/// Complaints about the manifests of all crates.
pub(super) fn check(root: &Path) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in LAYERS {
        let folder = if name == "xtask" {
            root.join(name)
        } else {
            root.join("crates").join(name)
        };
        match fs::read_to_string(folder.join("Cargo.toml")) {
            Ok(manifest) => complaints.extend(check_manifest(name, &manifest)),
            Err(error) => complaints.push(format!("{name}: its manifest cannot be read: {error}")),
        }
    }
    for entry in fs::read_dir(root.join("crates"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !LAYERS.contains(&name.as_str()) {
            complaints.push(format!("crates/{name} has no place in the list of layers"));
        }
    }
    complaints
}

fn check_manifest(name: &str, manifest: &str) -> Vec<String> {
    let table: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let place = |of: &str| LAYERS.iter().position(|&layer| layer == of);
    let mut complaints = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let Some(dependencies) = table.get(section).and_then(toml::Value::as_table) else {
            continue;
        };
        for dependency in dependencies.keys() {
            let Some(theirs) = place(dependency) else {
                continue;
            };
            let wall = WALLS.contains(&(name, dependency.as_str()));
            if Some(theirs) >= place(name) || wall {
                complaints.push(format!(
                    "{name}: [{section}] names {dependency}, which it must know nothing of"
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::check_manifest;

    #[test]
    fn a_crate_may_use_only_what_is_above_it() {
        let manifest = "[dependencies]\nbss2-event.workspace = true\nserde = \"1\"\n";
        assert!(check_manifest("bss2-analog", manifest).is_empty());
        for (name, section, dependency) in [
            ("bss2-event", "dependencies", "bss2-learn"),
            ("bss2-learn", "dependencies", "bss2-analog"),
            ("bss2-routing", "dev-dependencies", "bss2-analog"),
            ("bss2", "dependencies", "xtask"),
        ] {
            let manifest = format!("[{section}]\n{dependency}.workspace = true\n");
            let complaints = check_manifest(name, &manifest);
            assert_eq!(complaints.len(), 1, "{name} -> {dependency}");
            assert!(complaints[0].contains(dependency));
        }
    }
}
