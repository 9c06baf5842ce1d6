"""What a run works on: Ray, found or started, and the services that its phases share."""
