"""What commands have in common that train in rounds: stages done once, their trainings, datasets and results."""
