"""What commands and job files share: the run folder, Ray and its services, and the stages in their order."""
