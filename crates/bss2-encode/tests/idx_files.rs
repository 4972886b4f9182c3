//! Files as users have them, good and bad.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;

use bss2_encode::idx::{self, IdxKind};
use bss2_encode::manifest::identify;
use bss2_encode::{DataSet, EncodeError, Part, Verify, load_mnist};
use flate2::{Compression, write::GzEncoder};
use support::mnist;

fn images(count: u32, rows: u32, columns: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for dimension in [count, rows, columns] {
        bytes.extend(dimension.to_be_bytes());
    }
    bytes.extend((0..count * rows * columns).map(|i| (i % 251) as u8));
    bytes
}

fn labels(values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((values.len() as u32).to_be_bytes());
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with six images to train and three to test on.
fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte.gz", &gzip(&images(6, 28, 28)));
    // Told apart by content: plain in spite of the name, and the reverse.
    write("train-labels.idx1-ubyte.gz", &labels(&[0, 1, 2, 3, 4, 9]));
    write("t10k-images.idx3-ubyte", &gzip(&images(3, 28, 28)));
    write("t10k-labels-idx1-ubyte", &labels(&[7, 8, 9]));
    folder
}

fn load(folder: &Path) -> Result<bss2_encode::Split, EncodeError> {
    load_mnist(folder, DataSet::Mnist, Verify::Off)
}

/// The message for a folder of which one file was replaced.
fn message(name: &str, bytes: &[u8]) -> String {
    let folder = small();
    fs::write(folder.path().join(name), bytes).unwrap();
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(message.contains(name), "{message} names {name}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn both_spellings_and_packings_are_read() {
    let folder = small();
    let split = load(folder.path()).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (6, 3));
    assert_eq!(split.train.labels(), [0, 1, 2, 3, 4, 9]);
    assert_eq!(split.train.image(1)[..3], [31, 32, 33]); // 784 % 251
    assert_eq!(split.train.name(), "MNIST (not verified)");
    assert_eq!((split.train.crop(), split.test.crop()), (2, 2));
    let fashion = load_mnist(folder.path(), DataSet::FashionMnist, Verify::Off).unwrap();
    assert_eq!((fashion.train.crop(), fashion.test.crop()), (0, 0));
    let reduced = split.reduce().unwrap();
    assert_eq!((reduced.train.side(), reduced.test.side()), (16, 16));
}

/// Only MNIST's own size has its border; others would lose what they show.
#[test]
fn images_of_another_size_are_not_cropped() {
    for side in [8, 16, 29] {
        let folder = small();
        for (name, count) in [
            ("train-images-idx3-ubyte.gz", 6),
            ("t10k-images.idx3-ubyte", 3),
        ] {
            fs::write(folder.path().join(name), images(count, side, side)).unwrap();
        }
        let split = load(folder.path()).unwrap();
        assert_eq!((split.train.crop(), split.test.crop()), (0, 0), "{side}");
        if side == 16 {
            let reduced = split.reduce().unwrap();
            assert_eq!(reduced.train.pixels(), split.train.pixels());
        }
    }
}

#[test]
fn each_fault_has_its_message() {
    let file = "train-images-idx3-ubyte.gz";
    let whole = images(6, 28, 28);
    let packed = gzip(&whole);
    let page = b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>";

    assert!(message(file, &[0, 0, 8, 2, 1]).contains("begins with 0x00000802"));
    assert!(message(file, &labels(&[1])).contains("these are labels"));
    assert!(message(file, &packed[..packed.len() / 2]).contains("ends too early"));
    assert!(message(file, &packed[..packed.len() - 3]).contains("ends too early"));
    assert!(message(file, &whole[..1000]).contains("1000 of 4720 bytes"));
    assert!(message(file, &gzip(&whole[..1000])).contains("1000 of 4720 bytes"));
    assert!(message(file, &[&whole[..], &[0]].concat()).contains("after its end at 4720"));
    assert!(message(file, page).contains("looks like HTML"));
    assert!(message(file, &gzip(page)).contains("looks like HTML"));
    assert!(message(file, b"").contains("0 of 16 bytes"));
    assert!(message(file, &images(0, 28, 28)).contains("no dimension may be zero"));
    assert!(message(file, &images(6, 28, 20)).contains("must be square"));
    assert!(message(file, &images(5, 28, 28)).contains("5 images in"));
    let mut damaged = packed.clone();
    let crc = damaged.len() - 6;
    damaged[crc] ^= 1;
    assert!(message(file, &damaged).contains("damaged gzip"));
    let mut greedy = whole.clone();
    greedy[4..16].fill(0xff);
    assert!(message(file, &greedy).contains("1 GiB"));

    let file = "t10k-labels-idx1-ubyte";
    assert!(message(file, &labels(&[7, 10, 9])).contains("label 1 is 10"));
    assert!(message(file, &labels(&[7, 8])).contains("3 images in"));
    assert!(message(file, &images(1, 28, 28)).contains("these are images"));
}

#[test]
fn a_missing_file_is_named_with_its_folder() {
    let folder = small();
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("has no t10k-labels-idx1-ubyte"),
        "{message}"
    );
    assert!(
        message.contains(&folder.path().display().to_string()),
        "{message}"
    );
}

#[test]
fn what_is_not_the_published_file_is_refused() {
    let folder = small();
    let error = load_mnist(folder.path(), DataSet::Mnist, Verify::Manifest).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("is not MNIST's training images"),
        "{message}"
    );
    assert!(
        message.contains("4720 bytes in place of 47040016"),
        "{message}"
    );
}

#[test]
fn one_data_set_in_place_of_another_is_named() {
    let Some(mnist) = mnist() else {
        return;
    };
    let error = load_mnist(&mnist, DataSet::FashionMnist, Verify::Manifest).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("is not Fashion-MNIST's training images"),
        "{message}"
    );
    assert!(
        message.contains("this is MNIST's training images"),
        "{message}"
    );

    let folder = tempfile::tempdir().unwrap();
    for part in Part::ALL {
        let name = format!("{}.gz", part.file_name());
        fs::copy(mnist.join(&name), folder.path().join(&name)).unwrap();
    }
    let test = folder.path().join("t10k-images-idx3-ubyte.gz");
    let mut content = idx::read(&test, IdxKind::Images).unwrap();
    assert_eq!(
        identify(content.pieces()),
        Some((DataSet::Mnist, Part::TestImages))
    );
    content.values[1_000_000] ^= 1;
    fs::remove_file(&test).unwrap();
    fs::write(&test, content.pieces().concat()).unwrap();
    let error = load_mnist(folder.path(), DataSet::Mnist, Verify::Manifest).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("its SHA-256 is"), "{message}");
    assert!(message.contains("damaged"), "{message}");

    let manifest = DataSet::Mnist.manifest();
    let labels = fs::read(mnist.join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let path = Path::new("download");
    manifest.verify(Part::TestLabels, &labels, path).unwrap();
    assert!(manifest.verify(Part::TrainLabels, &labels, path).is_err());
}
