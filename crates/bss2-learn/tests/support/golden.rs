//! Golden arrays: `BSS2_GOLDEN`, else `../shared/golden` seen from the
//! workspace.

#[path = "../../../bss2-event/tests/support/reference.rs"]
mod reference;

use std::collections::BTreeMap;

use nalgebra::DMatrix;
use npyz::npz::NpzArchive;

use reference::{folder, skip};

/// All arrays of a file, integers widened to `f64`.
pub(crate) struct Golden {
    arrays: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    /// Opens a file, or says that the test is skipped.
    ///
    /// # Panics
    /// Where the variable names a folder that there is not.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let path = folder("BSS2_GOLDEN", "golden")?.join(format!("{name}.npz"));
        if !path.exists() {
            skip(&format!("{} is not there", path.display()));
            return None;
        }
        let mut archive = NpzArchive::open(&path).expect("a golden file can be read");
        let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
        let mut arrays = BTreeMap::new();
        for name in names {
            let array = archive.by_name(&name).unwrap().expect("it was listed");
            let shape = array.shape().iter().map(|&n| n as usize).collect();
            let values = match array.dtype().descr().as_str() {
                "'<f8'" => array.into_vec::<f64>().unwrap(),
                "'|u1'" => widen(&array.into_vec::<u8>().unwrap()),
                "'<i8'" => array
                    .into_vec::<i64>()
                    .unwrap()
                    .iter()
                    .map(|&v| v as f64)
                    .collect(),
                other => panic!("{name} has the unexpected type {other}"),
            };
            arrays.insert(name, (shape, values));
        }
        Some(Self { arrays })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }
    pub(crate) fn values(&self, name: &str) -> &[f64] {
        &self.arrays[name].1
    }
    pub(crate) fn shape(&self, name: &str) -> &[usize] {
        &self.arrays[name].0
    }
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.values(name).iter().map(|&v| v as u8).collect()
    }
    /// A scalar, zero where the file has none of that name.
    pub(crate) fn scalar(&self, name: &str) -> f64 {
        self.arrays.get(name).map_or(0.0, |(_, values)| values[0])
    }
    /// A matrix `[target, source]`.
    pub(crate) fn matrix(&self, name: &str) -> DMatrix<f64> {
        let shape = self.shape(name);
        DMatrix::from_row_slice(shape[0], shape[1], self.values(name))
    }
}

fn widen(bytes: &[u8]) -> Vec<f64> {
    bytes.iter().map(|&v| f64::from(v)).collect()
}
