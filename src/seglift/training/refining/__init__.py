"""What a refiner learns from: labels that came back to labelled frames, kept on disk, and views of them."""
