//go:build !race

package sim

// seeds is how many are simulated unless SEEDS says otherwise: as many as CI has time for.
const seeds = 200
