"""What only the share model needs once it is fitted: tables, sentences, pictures, sections."""
