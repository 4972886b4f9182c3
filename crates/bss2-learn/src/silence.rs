//! Hidden neurons that fail after training.

use bss2_event::random::{Address, Domain};
use bss2_event::{RangeError, Seed};

use crate::network::Weights;

/// Silences a share of the hidden neurons, 0 to 1, rounded to whole neurons: all
/// weights into and out of them become zero, so that one which fires without
/// input is not heard either. In one draw of a seed a larger share holds every
/// neuron of a smaller one; other draws are other choices.
///
/// # Source
/// Cramer et al. 2022, Figure 4C: neurons are silenced after training. Which ones
/// is a random choice, ours.
///
/// # Errors
/// A share outside 0 to 1; the weights then are as before.
pub fn silence(weights: &mut Weights, seed: Seed, draw: u32, share: f64) -> Result<(), RangeError> {
    RangeError::check("share of silenced neurons", share, 0.0, 1.0, "")?;
    let hidden = weights.hidden.nrows();
    let address = Address::new(seed, Domain::Silence).sample(draw.into());
    let mut order: Vec<(f64, usize)> = (0..hidden)
        .map(|neuron| (address.element(neuron as u32).uniform(0), neuron))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let count = (share * hidden as f64).round() as usize;
    for &(_, neuron) in &order[..count] {
        weights.hidden.row_mut(neuron).fill(0.0);
        if let Some(recurrent) = &mut weights.recurrent {
            recurrent.row_mut(neuron).fill(0.0);
            recurrent.column_mut(neuron).fill(0.0);
        }
        weights.output.column_mut(neuron).fill(0.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkShape;

    fn silenced(draw: u32, share: f64) -> Vec<usize> {
        let shape = NetworkShape {
            inputs: 5,
            hidden: 40,
            outputs: 3,
            recurrent: true,
        };
        let mut weights = Weights::zeros(shape);
        for (_, matrix) in weights.layers_mut() {
            matrix.fill(1.0);
        }
        silence(&mut weights, Seed(4), draw, share).unwrap();
        let recurrent = weights.recurrent.as_ref().unwrap();
        let silent = |i: &usize| weights.hidden.row(*i).sum() == 0.0;
        let neurons: Vec<usize> = (0..40).filter(silent).collect();
        for &i in &neurons {
            assert_eq!(recurrent.row(i).sum() + recurrent.column(i).sum(), 0.0);
            assert_eq!(weights.output.column(i).sum(), 0.0);
        }
        let left = (40 - neurons.len()) as f32;
        assert_eq!(weights.hidden.sum(), 5.0 * left);
        assert_eq!(weights.output.sum(), 3.0 * left);
        assert_eq!(recurrent.sum(), left * left);
        neurons
    }

    #[test]
    fn a_share_is_exact_and_grows_by_adding_neurons() {
        for draw in 0..3 {
            let [none, few, many, all] = [0.0, 0.1, 0.5, 1.0].map(|share| silenced(draw, share));
            assert_eq!([&none, &few, &many, &all].map(Vec::len), [0, 4, 20, 40]);
            assert!(few.iter().all(|i| many.contains(i)));
        }
    }

    #[test]
    fn draws_are_other_choices_and_the_first_is_that_of_old() {
        assert_eq!(silenced(0, 0.1), [1, 29, 34, 37]);
        let draws = [0, 1, 2].map(|draw| silenced(draw, 0.5));
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            assert_ne!(draws[one], draws[other]);
        }
    }
}
