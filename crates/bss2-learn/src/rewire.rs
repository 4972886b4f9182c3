//! Recurrence that keeps its weights and loses what it learned.

use bss2_event::Seed;
use bss2_event::random::{Address, Domain};

use crate::network::Weights;

/// Puts the recurrent weights into another order, over all pairs of neurons: their
/// distribution stays, their structure goes. A network without recurrence stays as
/// it is.
///
/// # Source
/// Cramer et al. 2022: frozen, shuffled recurrent weights as a control. How they
/// are shuffled is ours.
pub fn shuffle_recurrence(weights: &mut Weights, seed: Seed) {
    let Some(recurrent) = &mut weights.recurrent else {
        return;
    };
    let address = Address::new(seed, Domain::Rewiring);
    let mut drawn: Vec<(f64, usize, f32)> = recurrent
        .iter()
        .enumerate()
        .map(|(place, &weight)| (address.element(place as u32).uniform(0), place, weight))
        .collect();
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (weight, (_, _, other)) in recurrent.iter_mut().zip(drawn) {
        *weight = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkShape;

    #[test]
    fn all_weights_are_there_in_another_order() {
        let shape = NetworkShape {
            inputs: 3,
            hidden: 20,
            outputs: 2,
            recurrent: true,
        };
        let mut weights = Weights::zeros(shape);
        let recurrent = weights.recurrent.as_mut().unwrap();
        for (place, weight) in recurrent.iter_mut().enumerate() {
            *weight = place as f32;
        }
        let before = weights.clone();
        shuffle_recurrence(&mut weights, Seed(1));
        let of = |weights: &Weights| weights.recurrent.as_ref().unwrap().as_slice().to_vec();
        let mut sorted = of(&weights);
        let moved = sorted.iter().zip(of(&before)).filter(|(a, b)| **a != *b);
        assert!(moved.count() > 380);
        sorted.sort_by(f32::total_cmp);
        assert_eq!(sorted, of(&before));
        assert_eq!(weights.hidden, before.hidden);

        let mut again = before.clone();
        shuffle_recurrence(&mut again, Seed(1));
        assert_eq!(again, weights);
        let mut other = before;
        shuffle_recurrence(&mut other, Seed(2));
        assert_ne!(other, weights);
    }
}
